#include "model/sequence.h"

namespace layerboost {

Sequence::Sequence(const MixerList& mixers, CachePools& pools)
    : mixers_(&mixers), caches_(mixers.size(), LayerCache{&pools, {}}) {}

}  // namespace layerboost
