#include "mixer/page_cache.h"

#include <algorithm>
#include <span>

namespace layerboost {
namespace {

int pages_for(int length) { return (length + page_slots - 1) / page_slots; }

}  // namespace

PageCache::PageCache(const AttentionBlock& block, std::size_t first_block, std::vector<int> heads)
    : block_(block), first_block_(first_block), heads_(std::move(heads)), layout_(block.layout(page_slots, heads_)) {}

void PageCache::attend(const MixerRows& rows, const Projected& projected, KernelScratch& scratch) const {
  std::vector<KvWrite> writes;
  for (const MixerSpan& span : rows.spans) put(span, writes);
  block_.store(writes, projected, scratch);

  std::vector<KvSegment> segments;  // of all spans, one after another
  std::vector<std::size_t> ends;
  for (const MixerSpan& span : rows.spans) {
    add_segments(span, false, segments);
    ends.push_back(segments.size());
  }
  std::vector<AttentionTask> tasks;
  std::size_t first = 0;
  for (std::size_t i = 0; i < rows.spans.size(); first = ends[i++])
    tasks.push_back(block_.task(rows.spans[i], projected, 0, std::span(segments).subspan(first, ends[i] - first)));
  block_.attend(tasks, scratch);
}

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

std::size_t PageCache::finished_bytes(int length) const {
  return static_cast<std::size_t>(length / page_slots) * layout_.bytes();
}

std::size_t PageCache::bytes_to_copy(const LayerCache& cache, int length) const {
  if (cache.blocks.empty() || length % page_slots == 0) return 0;
  return CachePools::bytes_to_copy(cache.blocks[first_block_ + static_cast<std::size_t>(length / page_slots)]);
}

}  // namespace layerboost
