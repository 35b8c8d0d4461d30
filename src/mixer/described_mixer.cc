#include "mixer/described_mixer.h"

namespace layerboost {

std::size_t DescribedMixer::bytes_to_copy(const LayerCache& cache, int length) const {
  std::size_t bytes = 0;
  const auto count = [&](const Block& block) {
    if (block != nullptr && block.use_count() > 1) bytes += CachePools::block_bytes(block);
  };
  switch (descriptor_.cache.writes) {
    case CacheWrites::all_blocks:
      for (const Block& block : cache.blocks) count(block);
      break;
    case CacheWrites::last_block:
      if (!cache.blocks.empty() && cache_bytes(length + 1) == cache_bytes(length)) count(cache.blocks.back());
      break;
  }
  return bytes;
}

}  // namespace layerboost
