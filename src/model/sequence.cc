#include "model/sequence.h"

namespace layerboost {

Sequence::Sequence(const MixerList& mixers, CachePools& pools)
    : Sequence(mixers, [&pools](const Mixer& /*mixer*/) { return &pools; }) {}

Sequence::Sequence(const MixerList& mixers, const PoolsOf& pools_of) : mixers_(&mixers) {
  for (const Mixer* mixer : mixers) caches_.push_back({pools_of(*mixer), {}});
  if (mixers.partner != nullptr) partner_.emplace_back(*mixers.partner, pools_of);
}

}  // namespace layerboost
