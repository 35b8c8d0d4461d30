#include "mixer/page_cache.h"

#include <algorithm>

namespace layerboost {
namespace {

int pages_for(int length) { return (length + page_slots - 1) / page_slots; }

}  // namespace

PageCache::PageCache(const AttentionBlock& block, std::size_t first_block, std::vector<int> heads)
    : first_block_(first_block), heads_(std::move(heads)), layout_(block.layout(page_slots, heads_)) {}

void PageCache::put(const MixerSpan& span, std::vector<KvWrite>& writes) const {
  reserve(*span.cache, span.position + span.count);
  for (int first = 0; first < span.count;) {
    const int position = span.position + first, slot = position % page_slots;
    const int count = std::min(page_slots - slot, span.count - first);
    Block& page = span.cache->blocks[first_block_ + static_cast<std::size_t>(position / page_slots)];
    span.cache->pools->make_unique(page, layout_.bytes());
    writes.push_back({&span, first, count, layout_, page.get(), slot, false, heads_});
    first += count;
  }
}

void PageCache::add_segments(const MixerSpan& span, bool pinned, std::vector<KvSegment>& segments) const {
  const int length = span.position + span.count;
  for (int page = 0; page < pages_for(length); ++page)
    segments.push_back({span.cache->blocks[first_block_ + static_cast<std::size_t>(page)].get(), page_slots,
                        std::min(page_slots, length - page * page_slots), page * page_slots, nullptr, pinned});
}

std::optional<KvPlace> PageCache::place_of(const LayerCache& cache, int length, int position, int index) const {
  if (position < 0 || position >= length) return {};
  return KvPlace{layout_, cache.blocks[first_block_ + static_cast<std::size_t>(position / page_slots)].get(),
                 position % page_slots, index};
}

std::size_t PageCache::bytes(int length) const { return static_cast<std::size_t>(pages_for(length)) * layout_.bytes(); }

void PageCache::reserve(LayerCache& cache, int length) const {
  while (std::ssize(cache.blocks) < static_cast<std::ptrdiff_t>(first_block_) + pages_for(length))
    cache.blocks.push_back(cache.pools->allocate(layout_.bytes()));
}

std::size_t PageCache::bytes_to_copy(const LayerCache& cache, int length) const {
  if (cache.blocks.empty() || length % page_slots == 0) return 0;
  return CachePools::bytes_to_copy(cache.blocks[first_block_ + static_cast<std::size_t>(length / page_slots)]);
}

}  // namespace layerboost
