// What a healing run is judged by on the way: text that it doesn't learn from, and questions about facts far back.
#pragma once

#include <vector>

#include "base/json.h"
#include "eval/retrieval.h"
#include "heal/distiller.h"

namespace layerboost {

struct HeldOutResult {
  double kl = 0, kl_error = 0;  // nats; the standard error over sequences
  double perplexity = 0, teacher_perplexity = 0;
  double found = -1;  // share of the questions' answers that greedy decoding gives; -1: not measured

  /// {"kl", "kl_stderr", "perplexity", "teacher_perplexity", "found"}
  [[nodiscard]] Json to_json() const;
};
HeldOutResult held_out_from_json(const Json& json, const std::string& where);

/// Measures how far a healing run has come, always on the same sequences and questions.
class HeldOut {
 public:
  /// `sequences`: of held-out text, all of one length. `questions` (0: none) of that length too, in the wordings that
  /// choose, where the tokenizer and the length allow.
  HeldOut(const Model& model, std::vector<std::vector<TokenId>> sequences, int questions, std::uint64_t seed);

  /// Measures, `batch` sequences at a time. Throws Interrupted.
  [[nodiscard]] HeldOutResult measure(Distiller& distiller, int batch) const;

 private:
  [[nodiscard]] double share_found(Distiller& distiller, int batch) const;

  std::vector<std::vector<TokenId>> sequences_;
  std::vector<RetrievalItem> questions_;
};

}  // namespace layerboost
