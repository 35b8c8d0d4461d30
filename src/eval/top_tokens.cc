#include "eval/top_tokens.h"

#include <algorithm>

namespace layerboost {

std::vector<ScoredToken> top_tokens(const float* logits, int vocab, int count, float floor) {
  const auto wanted = static_cast<std::size_t>(std::max(0, count));
  std::vector<ScoredToken> kept;
  if (wanted == 0) return kept;
  // Twice as many as wanted are let in before the lesser half goes and the floor rises.
  const std::size_t room = 2 * wanted + 16;
  kept.reserve(std::min(room, static_cast<std::size_t>(vocab)));
  const auto halve = [&] {
    std::nth_element(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(wanted - 1), kept.end(), likelier);
    kept.resize(wanted);
  };
  for (TokenId id = 0; id < vocab; ++id) {
    if (!(logits[id] >= floor)) continue;
    kept.push_back({id, logits[id]});
    if (kept.size() < room) continue;
    halve();
    floor = kept.back().logit;
  }
  if (kept.size() > wanted) halve();
  std::sort(kept.begin(), kept.end(), likelier);
  return kept;
}

std::vector<ScoredToken> tokens_above(const float* logits, int vocab, float floor) {
  std::vector<ScoredToken> kept;
  for (TokenId id = 0; id < vocab; ++id)
    if (logits[id] >= floor) kept.push_back({id, logits[id]});
  return kept;
}

}  // namespace layerboost
