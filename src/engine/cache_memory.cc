#include "engine/cache_memory.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {
std::size_t sequence_bytes(const MixerList& mixers, int length) {
  std::size_t bytes = 0;
  for (const Mixer* mixer : mixers) bytes += mixer->cache_bytes(length);
  return bytes;
}

CacheMemory::PlanCaches& CacheMemory::caches_of(const MixerList& mixers) {
  PlanCaches& caches = plans_[&mixers];
  if (caches.layer_pools.empty()) {
    for (const Mixer* mixer : mixers) {
      const std::optional<CacheAccount> account = mixer->account();
      caches.layer_pools.push_back(account ? &pools_[static_cast<std::size_t>(*account)] : nullptr);
    }
  }
  return caches;
}

void CacheMemory::preallocate(const MixerList& mixers, int count, int length) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < count; ++i) {
    sequences.push_back(make_sequence(mixers));
    for (std::size_t layer = 0; layer < mixers.size(); ++layer)
      mixers[layer]->reserve(sequences.back().cache(static_cast<int>(layer)), length);
  }
}

Sequence CacheMemory::make_sequence(const MixerList& mixers) { return {mixers, caches_of(mixers).layer_pools}; }

std::size_t CacheMemory::bytes(const MixerList& mixers, int length) {
  std::vector<std::size_t>& known = caches_of(mixers).bytes;
  while (std::ssize(known) <= length) known.push_back(sequence_bytes(mixers, static_cast<int>(std::ssize(known))));
  return known[static_cast<std::size_t>(length)];
}

std::size_t CacheMemory::growth(const Sequence& sequence, int count) {
  const MixerList& mixers = sequence.mixers();
  const int length = sequence.length();
  std::size_t growth = bytes(mixers, length + count) - bytes(mixers, length);
  for (int layer = 0; layer < static_cast<int>(mixers.size()); ++layer)
    growth += mixers[static_cast<std::size_t>(layer)]->bytes_to_copy(sequence.cache(layer), length);
  return growth;
}

void CacheMemory::prepare(std::size_t growth) {
  LB_CHECK(in_use() + growth <= limit_);
  if (reserved() + growth <= limit_) return;
  for (CachePools& pools : pools_) pools.release_unused();
}

std::size_t CacheMemory::room() const { return limit_ - std::min(limit_, in_use()); }

std::size_t CacheMemory::in_use() const {
  std::size_t bytes = 0;
  for (const CachePools& pools : pools_) bytes += pools.bytes_in_use();
  return bytes;
}

std::size_t CacheMemory::reserved() const {
  std::size_t bytes = 0;
  for (const CachePools& pools : pools_) bytes += pools.bytes_reserved();
  return bytes;
}

}  // namespace layerboost
