#include "mixer/described_mixer.h"

namespace layerboost {

std::size_t DescribedMixer::bytes_to_copy(const LayerCache& cache, int /*length*/) const {
  std::size_t bytes = 0;
  for (const Block& block : cache.blocks) bytes += CachePools::bytes_to_copy(block);
  return bytes;
}

std::optional<KvPlace> DescribedMixer::place_of(const LayerCache& /*cache*/, int /*length*/, int /*position*/,
                                                int /*head*/) const {
  return {};
}

bool DescribedMixer::fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const {
  if (length == 0) return true;
  reserve(to, length);
  for (int position = 0; position < length; ++position) {
    for (int head = 0; head < config_.kv_heads; ++head) {
      const std::optional<KvPlace> own = place_of(to, length, position, head);
      if (!own) continue;
      const std::optional<KvPlace> old = from.place_of(cache, length, position, head);
      if (!old) {
        to.blocks.clear();
        return false;
      }
      move_kv(old->head_layout(), old->head_block(), old->slot, own->head_layout(), own->head_block(), own->slot);
    }
  }
  return true;
}

}  // namespace layerboost
