// How the next token of a sequence is chosen. A model gives each token of its vocabulary a logit; Sampling says how
// these are changed, which tokens are left out, and whether one of the others is sampled or the likeliest taken. It
// holds no randomness: seeds are given where sequences are asked for. Values out of range are refused there, too, with
// an Error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "layerboost/export.h"
#include "layerboost/types.h"

namespace layerboost {

/// Below it, logits divided by the temperature would only differ from the likeliest token by overflowing.
inline constexpr double least_temperature = 1e-5;

/// Which tokens may be sampled. It may be large, so that it is made and checked once, and shared by the sequences that
/// it is for. Immutable.
class LAYERBOOST_API TokenFilter {
 public:
  /// `allowed`: the only ones that may be; nullopt: all may. `bad_words`, in tokens: the last token of each may not be
  /// where the text so far (without the prompt) ends with the others. Throws Error for ids that no
  /// vocabulary has, for words without tokens, and where no token is allowed, or only such as are bad words.
  explicit TokenFilter(std::optional<std::vector<TokenId>> allowed, std::vector<std::vector<TokenId>> bad_words = {});

  /// The tokens that are allowed, a bit each: token t is bit t % 64 of word t / 64, and words that are missing at the
  /// end have none. Empty: all are.
  [[nodiscard]] const std::vector<std::uint64_t>& allowed() const { return allowed_; }
  [[nodiscard]] const std::vector<std::vector<TokenId>>& bad_words() const { return bad_words_; }
  /// The highest ids among them; -1: there are none.
  [[nodiscard]] TokenId highest_allowed() const { return highest_allowed_; }
  [[nodiscard]] TokenId highest_bad() const { return highest_bad_; }

 private:
  std::vector<std::uint64_t> allowed_;
  std::vector<std::vector<TokenId>> bad_words_;
  TokenId highest_allowed_ = -1, highest_bad_ = -1;
};

/// How a token is chosen; as it stands, the likeliest. What is done, in this order (vLLM's), with log-probabilities as
/// logits:
///   1. logit_bias is added; tokens are left out that may not be sampled, as `filter` says, or not yet;
///   2. repetition_penalty r: the logit of each token of the prompt or the text so far is divided by r if positive,
///      multiplied if not (Keskar et al., 2019). frequency_penalty f and presence_penalty p: a token that the text so
///      far (without the prompt) has c > 0 times loses c f + p (OpenAI);
///   3. temperature below least_temperature: the likeliest token. Otherwise logits are divided by the temperature;
///   4. min_p: tokens less likely than min_p times the likeliest are left out (Nguyen et al., 2024);
///   5. top_k: all but the k likeliest are left out; top_p: all but the fewest likeliest whose probabilities, among
///      those still there, reach top_p (Holtzman et al., 2019);
///   6. one of the others is sampled.
struct Sampling {
  double temperature = 0;  // at least 0
  double top_p = 1;        // in (0, 1]; 1: off
  int top_k = 0;           // at least 0; 0: off
  double min_p = 0;        // in [0, 1]; 0: off
  double repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  std::shared_ptr<const TokenFilter> filter = {};  // nullptr: all tokens may be sampled
};

}  // namespace layerboost
