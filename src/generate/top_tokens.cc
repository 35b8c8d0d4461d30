#include "generate/top_tokens.h"

#include <algorithm>

namespace layerboost {
namespace {

/// Calls visit(id) for the tokens with logits >= floor(), in order of ids; the floor may rise on the way. Most chunks
/// have none, which is seen without a branch for each.
template <typename Floor, typename Visit>
void visit_above(const float* logits, int vocab, const Floor& floor, const Visit& visit) {
  constexpr int chunk = 64;
  for (int first = 0; first < vocab; first += chunk) {
    const int size = std::min(chunk, vocab - first);
    const float least = floor();
    int above = 0;
    for (int i = 0; i < size; ++i) above += logits[first + i] >= least ? 1 : 0;
    for (int i = 0; i < size && above > 0; ++i)
      if (logits[first + i] >= floor()) visit(first + i);
  }
}

}  // namespace

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
  visit_above(
      logits, vocab, [&] { return floor; },
      [&](TokenId id) {
        kept.push_back({id, logits[id]});
        if (kept.size() < room) return;
        halve();
        floor = kept.back().logit;
      });
  if (kept.size() > wanted) halve();
  std::sort(kept.begin(), kept.end(), likelier);
  return kept;
}

std::vector<ScoredToken> tokens_above(const float* logits, int vocab, float floor) {
  std::vector<ScoredToken> kept;
  visit_above(
      logits, vocab, [&] { return floor; },
      [&](TokenId id) {
        kept.push_back({id, logits[id]});
      });
  return kept;
}

}  // namespace layerboost
