#include "engine/cache_memory.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {
std::size_t sequence_bytes(const MixerList& mixers, int length) {
  std::size_t bytes = 0;
  for (const Mixer* mixer : mixers) bytes += mixer->cache_bytes(length);
  if (mixers.partner != nullptr) bytes += sequence_bytes(*mixers.partner, length);
  return bytes;
}

namespace {

std::size_t sequence_finished_bytes(const MixerList& mixers, int length) {
  std::size_t bytes = mixers.partner == nullptr ? 0 : sequence_finished_bytes(*mixers.partner, length);
  for (const Mixer* mixer : mixers) bytes += mixer->finished_bytes(length);
  return bytes;
}

void reserve(Sequence& sequence, int length) {
  const MixerList& mixers = sequence.mixers();
  for (std::size_t layer = 0; layer < mixers.size(); ++layer)
    mixers[layer]->reserve(sequence.cache(static_cast<int>(layer)), length);
  if (sequence.partner() != nullptr) reserve(*sequence.partner(), length);
}

/// The most that is copied of blocks that somebody else holds, too, when the sequence reads on.
std::size_t bytes_to_copy(const Sequence& sequence) {
  const MixerList& mixers = sequence.mixers();
  std::size_t bytes = sequence.partner() == nullptr ? 0 : bytes_to_copy(*sequence.partner());
  for (std::size_t layer = 0; layer < mixers.size(); ++layer)
    bytes += mixers[layer]->bytes_to_copy(sequence.cache(static_cast<int>(layer)), sequence.length());
  return bytes;
}

}  // namespace

void CacheMemory::preallocate(const MixerList& mixers, int count, int length) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < count; ++i) reserve(sequences.emplace_back(make_sequence(mixers)), length);
}

Sequence::PoolsOf CacheMemory::pools_by_account() {
  return [this](const Mixer& mixer) {
    const std::optional<CacheAccount> account = mixer.account();
    return account ? &pools_[static_cast<std::size_t>(*account)] : nullptr;
  };
}

Sequence CacheMemory::make_sequence(const MixerList& mixers) { return {mixers, pools_by_account()}; }

bool CacheMemory::fold(Sequence& sequence, const MixerList& mixers) {
  return sequence.fold(mixers, pools_by_account());
}

std::ptrdiff_t CacheMemory::freed_by_fold(const Sequence& sequence, const MixerList& mixers) {
  std::ptrdiff_t freed = 0;
  for (std::size_t layer = 0; layer < mixers.size(); ++layer) {
    if (mixers[layer] == sequence.mixers()[layer]) continue;
    for (const Block& block : sequence.cache(static_cast<int>(layer)).blocks)
      if (block.use_count() == 1) freed += static_cast<std::ptrdiff_t>(CachePools::block_bytes(block));
    freed -= static_cast<std::ptrdiff_t>(mixers[layer]->cache_bytes(sequence.length()));
  }
  return mixers.partner == nullptr ? freed : freed + freed_by_fold(*sequence.partner(), *mixers.partner);
}

std::size_t CacheMemory::bytes(const MixerList& mixers, int length) {
  std::vector<std::size_t>& known = known_[&mixers].bytes;
  while (std::ssize(known) <= length) known.push_back(sequence_bytes(mixers, static_cast<int>(std::ssize(known))));
  return known[static_cast<std::size_t>(length)];
}

std::size_t CacheMemory::finished_bytes(const MixerList& mixers, int length) {
  std::vector<std::size_t>& known = known_[&mixers].finished;
  while (std::ssize(known) <= length)
    known.push_back(sequence_finished_bytes(mixers, static_cast<int>(std::ssize(known))));
  return known[static_cast<std::size_t>(length)];
}

std::size_t CacheMemory::growth(const Sequence& sequence, int count) {
  const MixerList& mixers = sequence.mixers();
  const int length = sequence.length();
  const std::size_t before = bytes(mixers, length), after = bytes(mixers, length + count);
  return (after > before ? after - before : 0) + bytes_to_copy(sequence);  // what a step frees, it frees at its end
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
