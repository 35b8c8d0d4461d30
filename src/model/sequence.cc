#include "model/sequence.h"

namespace layerboost {

Sequence::Sequence(const MixerList& mixers, CachePools& pools)
    : mixers_(&mixers), caches_(mixers.size(), LayerCache{&pools, {}}) {}

Sequence::Sequence(const MixerList& mixers, std::span<CachePools* const> pools) : mixers_(&mixers) {
  for (CachePools* const own : pools) caches_.push_back({own, {}});
}

}  // namespace layerboost
