// Retrieval as a family: facts hidden in filler text at some depth and asked for at its end, in many wordings
// (eval/retrieval_wordings.h), as plain text and through the model's chat template. Windows and linear states lose what
// is far back, and neither perplexity nor a single wording shows it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/retrieval_wordings.h"
#include "eval/scoring.h"
#include "eval/statistics.h"

namespace layerboost {

/// Text that facts are hidden in, in pieces between which one may stand.
using FillerText = std::vector<std::string>;

/// Five short sentences, again and again: llama.cpp's `passkey` example.
FillerText repeated_filler();

/// The sentences and lines of a text; put together they are the text, but for its first `most` bytes alone.
FillerText filler_of(std::string_view text, std::size_t most = std::size_t{1} << 20);

inline constexpr int retrieval_depths = 10;

struct RetrievalOptions {
  WordingUse use = WordingUse::report;
  int length = 1024;              // tokens of a prompt, at most: whole pieces of filler are put in
  int depths = retrieval_depths;  // places in the filler, evenly spread: each wording once at each of them
  std::uint64_t seed = 0;         // of the facts and of where in a text the filler begins
  TokenId bos = -1;               // what plain texts begin with; -1: nothing
};

struct RetrievalItem {
  int wording = 0;  // in all_wordings()
  bool chat = false;
  double depth = 0;  // where the fact stands: 0 at the filler's start, 1 at its end
  std::vector<TokenId> prompt, answer;
};

/// For each wording of that use, as plain text and, where the tokenizer has a chat template, as a chat: an item at each
/// depth. The fillers take turns; items of one wording and filler begin alike, so that what stands before the first
/// fact is read once. Wordings for which `length` is too short, and those whose answers the vocabulary can't write, are
/// left out. Throws Error when none is left. Requires: `fillers` isn't empty.
std::vector<RetrievalItem> retrieval_items(const Tokenizer& tokenizer, std::span<const FillerText> fillers,
                                           const RetrievalOptions& options);

/// `count` questions of at most `length` tokens in the wordings that choose, hidden in repeated sentences and in
/// `texts`: wordings, forms and depths take turns, so that all take part in whatever number they are. Throws Error as
/// retrieval_items().
std::vector<RetrievalItem> choosing_questions(const Tokenizer& tokenizer, std::span<const std::vector<TokenId>> texts,
                                              int length, int count, std::uint64_t seed, TokenId bos);

/// A text of `length` tokens that states facts in the wordings that choose and asks for all of them at its end, with
/// their answers: what looking far back can be learnt from. Its filler begins somewhere in `filler`. Throws Error where
/// the length is too short for one fact.
std::vector<TokenId> retrieval_text(const Tokenizer& tokenizer, const FillerText& filler, int length,
                                    std::uint64_t seed, TokenId bos);

/// Throws Error unless there are questions of this length that, with their answers, fit max_positions (0: any).
void check_retrieval(const Tokenizer& tokenizer, int length, int max_positions);

/// One wording in one form.
struct RetrievalRow {
  int wording = 0;
  bool chat = false;
  Estimate found;     // share of items whose answer greedy decoding gives exactly
  Estimate log_prob;  // of the answer, nats
  Estimate margin;    // Score::margin, nats
};

struct RetrievalResult {
  int length = 0;
  std::vector<RetrievalRow> rows;

  /// The mean over rows of one form, each weighing as much; NaN where it has none.
  [[nodiscard]] double found(bool chat) const;
  [[nodiscard]] double log_prob(bool chat) const;
  [[nodiscard]] double margin(bool chat) const;
  /// The row of that form that is found least often; nullptr where there is none.
  [[nodiscard]] const RetrievalRow* worst(bool chat) const;
};

/// What a changed model still finds of what the unchanged one does.
struct RetrievalKept {
  double share = 1;       // found by the changed over found by the unchanged model, all rows of a form together
  double worst = 1;       // of the row where it is least, among rows of which the unchanged model finds half or more
  int worst_wording = 0;  // that row's; -1: no row is found often enough
};

/// Requires: results of the same items.
RetrievalKept retrieval_kept(const RetrievalResult& unchanged, const RetrievalResult& changed, bool chat);

/// The answers are scored with the right tokens given so far: greedy decoding gives exactly these tokens if and only if
/// each is the likeliest after the ones before. Throws as score_requests().
RetrievalResult run_retrieval(Subject& subject, std::span<const RetrievalItem> items, int length);

/// The same from the answers' scores. Items come as retrieval_items() orders them.
RetrievalResult summarize_retrieval(std::span<const RetrievalItem> items, std::span<const Score> scores, int length);

}  // namespace layerboost
