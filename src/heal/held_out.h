// What a healing run is judged by on the way: text and passkeys that it doesn't learn from.
#pragma once

#include <vector>

#include "base/json.h"
#include "eval/passkey.h"
#include "heal/distiller.h"

namespace layerboost {

struct HeldOutResult {
  double kl = 0, kl_error = 0;  // nats; the standard error over sequences
  double perplexity = 0, teacher_perplexity = 0;
  double passkey = -1;  // share of digits' sequences found; -1: not measured

  /// {"kl", "kl_stderr", "perplexity", "teacher_perplexity", "passkey"}
  [[nodiscard]] Json to_json() const;
};
HeldOutResult held_out_from_json(const Json& json, const std::string& where);

/// The measurement; always on the same sequences.
class HeldOut {
 public:
  /// `texts`: sequences of one length. `passkeys` prompts (0: none) of that length too, where the tokenizer and the
  /// length allow.
  HeldOut(const Model& model, std::vector<std::vector<TokenId>> texts, int passkeys, std::uint64_t seed);

  /// In batches of `sequences`. Throws Interrupted.
  [[nodiscard]] HeldOutResult measure(Distiller& distiller, int sequences) const;

 private:
  [[nodiscard]] double measure_passkey(Distiller& distiller, int sequences) const;

  std::vector<std::vector<TokenId>> texts_;
  std::vector<PasskeyItem> passkeys_;
};

}  // namespace layerboost
