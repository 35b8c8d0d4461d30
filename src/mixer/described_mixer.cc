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

std::optional<KvPlace> DescribedMixer::place_of(const LayerCache& /*cache*/, int /*length*/, int /*position*/) const {
  return {};
}

bool DescribedMixer::fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const {
  if (length == 0) return true;
  reserve(to, length);
  for (int position = 0; position < length; ++position) {
    const std::optional<KvPlace> own = place_of(to, length, position);
    if (!own) continue;
    const std::optional<KvPlace> old = from.place_of(cache, length, position);
    if (!old) {
      to.blocks.clear();
      return false;
    }
    move_kv(old->layout, old->block, old->slot, own->layout, own->block, own->slot);
  }
  return true;
}

}  // namespace layerboost
