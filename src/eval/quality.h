// What `layerboost eval` measures of a model with its mixers. QualityOptions say what: perplexity on texts; how far the
// model is from the unchanged one there (KL divergence, change of the NLL, agreement of greedy texts); tasks; passkeys;
// retrieval, which is questions about facts far back. Each of these has its own header in this folder; this one reads
// and checks all files first, then measures one thing after another into a QualityReport, with standard errors, and
// writes that as JSON or as a table. It opens no model (the caller passes one, and perhaps the unchanged one), and it
// judges nothing: what loss is too much is the reader's business.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/agreement.h"
#include "eval/divergence.h"
#include "eval/passkey.h"
#include "eval/retrieval.h"
#include "eval/tasks.h"
#include "generate/bos.h"
#include "model/subject.h"

namespace layerboost {

struct QualityOptions {
  std::vector<std::string> texts;           // files, a row each; facts and greedy texts are taken from the first
  std::vector<std::string> tasks;           // files
  std::vector<int> passkey;                 // lengths
  std::vector<int> retrieval;               // lengths
  int retrieval_places = retrieval_depths;  // in which each wording's facts stand
  bool retrieval_compared = true;  // whether the unchanged model, where there is one, answers the same questions
  int agreement = 0;               // prompts of each form that both models continue; 0: none
  int limit = 0;                   // the first so many windows of the text and items of each task; 0: all
  int context = 1024;              // tokens of a window
  int stride = 0;                  // tokens between windows; 0: they don't overlap
  BosMode bos = BosMode::automatic;
  std::uint64_t seed = 0;  // of the passkeys and of retrieval's facts
};

/// What was measured on one text.
struct TextQuality {
  std::string name, hash;
  Perplexity perplexity;
  std::optional<TextDivergence> divergence;  // from the unchanged model
};

struct QualityReport {
  std::vector<TextQuality> texts;
  std::optional<AgreementResult> agreement;  // with it
  std::vector<TaskResult> tasks;
  std::vector<PasskeyResult> passkey;
  std::vector<RetrievalResult> retrieval, unchanged_retrieval;  // the second is empty without an unchanged model
  QualityOptions options;
  std::vector<std::string> task_hashes;  // of tasks
};

/// Measures what `options` ask for; with `unchanged` (else nullptr) also how far it is from that. Everything given is
/// read and checked before anything is measured. Throws Error, and Interrupted.
QualityReport measure_quality(const ModelWithMixers& measured, const ModelWithMixers* unchanged,
                              const QualityOptions& options);

/// {"perplexity": {nll, ppl, tokens, windows, nll_stderr}, "kl": {mean, stderr, agreement, agreement_stderr, base_ppl,
/// nll_change, nll_change_stderr, positions: [{from, to, kl, nll_change, ...}]}, "more_texts": [{file, hash,
/// perplexity, kl}], "tasks": {NAME: {acc, acc_norm,
/// acc_stderr, acc_norm_stderr, n, acc_items, acc_norm_items}}, "passkey": [{length, acc, acc_stderr, logprob,
/// logprob_stderr, n, depths: [{depth, acc, logprob, n}]}], "agreement": {plain, chat: {equal, until, n}, tokens},
/// "retrieval": [{length, plain, chat: {found, logprob, margin, worst, kept, kept_worst}, wordings: [{kind, wording,
/// chat, found, logprob, margin, n, unchanged_found}]}], "data": what it was measured on}; only what was measured.
/// "perplexity" and "kl" are of the first text, "more_texts" has the others.
/// acc_items has a character for each item of the task, in the file's order: 1 where it was answered rightly, else 0.
/// Last-word tasks have perplexity and perplexity_stderr in place of acc_norm. Unknown errors are null.
Json to_json(const QualityReport& report);

/// The same as a table for people, with standard errors.
std::string to_table(const QualityReport& report);

}  // namespace layerboost
