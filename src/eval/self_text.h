// Calibration text that the model writes itself, so that nothing but a model is needed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/file.h"
#include "model/subject.h"

namespace layerboost {

struct SelfTextOptions {
  int count = 16;     // sequences
  int length = 1024;  // tokens of each, those that it begins with among them
  std::uint64_t seed = 0;
  bool chat = false;  // begins where the user's turn does in the model's chat template, and not with prefix_token()
};

/// Where the text of this model and these options is kept: cache_dir()/self_text/MODEL-SEED-COUNTxLENGTH.json, or
/// ...-chat.json.
fs::path self_text_path(const Model& model, const SelfTextOptions& options);

/// `count` sequences of exactly `length` tokens: prefix_token() (BOS, or else EOS), then tokens sampled at temperature
/// 1; where the model ends a text it begins another. As a chat it writes the user's turn as well as its own. Sequence i
/// depends only on the model, the seed and i. Read from the cache when it is there; else written with the subject's
/// mixers (the model's own) in large batches, saved after each batch, and gone on with after an interrupt. Throws Error
/// when the model has neither BOS nor EOS (chat: no template) or fewer positions than `length`, Interrupted.
std::vector<std::vector<TokenId>> self_text(Subject& subject, const SelfTextOptions& options);

/// Writes self_text() into `file`, as text: a line for each sequence, where it has no line breaks of its own. Throws as
/// self_text() does, and Error where `file` can't be written.
void write_self_text(const fs::path& file, Subject& subject, const SelfTextOptions& options);

}  // namespace layerboost
