#include "mixer/window_cache.h"

#include <algorithm>

namespace layerboost {
namespace {

/// A part of a chunk's own keys and values, laid out in a page of scratch memory.
struct ChunkPage {
  const MixerSpan* span;
  int first;  // counted from the span's first row
  int count;
  std::byte* page;
};

}  // namespace

WindowCache::WindowCache(const AttentionBlock& block, int window, int sinks, std::size_t first_block)
    : block_(block),
      window_(window),
      sinks_(sinks),
      first_block_(first_block),
      sink_layout_(block.layout(sinks)),
      chunk_layout_(block.layout(page_slots)) {}

void WindowCache::attend(const MixerRows& rows, const Projected& projected, AlignedBuffer& scratch, float* log_sums,
                         float* maxima) const {
  const int s = sinks_;
  // A single new token overwrites exactly the one that leaves its window, so it goes into the ring first and attention
  // sees ring and sinks only. A chunk is kept aside in pages until its queries have seen what the ring held before.
  std::vector<ChunkPage> pages;
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    store_sinks(span, projected);
    if (span.count == 1) {
      store_ring(span, projected);
      continue;
    }
    for (int first = std::clamp(s - span.position, 0, span.count); first < span.count; first += page_slots)
      pages.push_back({&span, first, std::min(page_slots, span.count - first), nullptr});
  }
  std::byte* const memory = scratch.reserve(std::max<std::size_t>(pages.size(), 1) * chunk_layout_.bytes());
  const auto page_count = static_cast<std::ptrdiff_t>(pages.size());
#pragma omp parallel for schedule(static) if (page_count > 1)
  for (std::ptrdiff_t i = 0; i < page_count; ++i) {
    ChunkPage& page = pages[static_cast<std::size_t>(i)];
    page.page = memory + static_cast<std::size_t>(i) * chunk_layout_.bytes();
    // What the memory held before may not be numbers.
    if (page.count < page_slots || chunk_layout_.padded_head() > chunk_layout_.head_size)
      clear_kv(chunk_layout_, page.page);
    block_.store(*page.span, projected, page.first, page.count, chunk_layout_, page.page, 0);
  }

  std::vector<std::vector<KvSegment>> segments(rows.spans.size());
  std::vector<std::vector<std::int32_t>> positions(rows.spans.size());
  std::vector<AttentionTask> tasks;
  auto page = pages.begin();
  for (std::size_t i = 0; i < rows.spans.size(); ++i) {
    const MixerSpan& span = rows.spans[i];
    const int end = span.position + span.count;
    if (s > 0) segments[i].push_back({sinks(*span.cache), sink_layout_.slots, std::min(s, end), 0, nullptr, true});
    add_ring(*span.cache, span.count == 1 ? end : span.position, span.count == 1, segments[i], positions[i]);
    for (; page != pages.end() && page->span == &span; ++page)
      segments[i].push_back({page->page, page_slots, page->count, span.position + page->first, nullptr, false});
    AttentionTask& task = tasks.emplace_back(block_.task(span, projected, window_, segments[i]));
    const std::ptrdiff_t row = std::ptrdiff_t{span.row} * block_.heads();
    task.log_sums = log_sums == nullptr ? nullptr : log_sums + row;
    task.maxima = maxima == nullptr ? nullptr : maxima + row;
  }
  block_.attend(tasks);

  for (const MixerSpan& span : rows.spans)
    if (span.count > 1) store_ring(span, projected);
}

void WindowCache::reserve(LayerCache& cache, int length) const {
  std::vector<Block>& blocks = cache.blocks;
  if (blocks.size() == first_block_ && sinks_ > 0) blocks.push_back(cache.pools->allocate(sink_layout_.bytes()));
  while (static_cast<int>(blocks.size() - first_page()) < ring_pages(length))
    blocks.push_back(cache.pools->allocate(page_layout(static_cast<int>(blocks.size() - first_page())).bytes()));
}

void WindowCache::store_sinks(const MixerSpan& span, const Projected& projected) const {
  const int count = std::min(span.position + span.count, sinks_) - span.position;
  if (count <= 0) return;
  Block& block = span.cache->blocks[first_block_];
  span.cache->pools->make_unique(block, sink_layout_.bytes());
  block_.store(span, projected, 0, count, sink_layout_, block.get(), span.position);
}

void WindowCache::store_ring(const MixerSpan& span, const Projected& projected) const {
  const int w = window_, s = sinks_, end = span.position + span.count;
  for (int p = std::max({s, span.position, end - w}); p < end;) {
    const int slot = (p - s) % w, page = slot / page_slots;
    const int count = std::min({std::min(w, (page + 1) * page_slots) - slot, end - p});
    const KvLayout layout = page_layout(page);
    Block& block = span.cache->blocks[first_page() + static_cast<std::size_t>(page)];
    span.cache->pools->make_unique(block, layout.bytes());
    block_.store(span, projected, p - span.position, count, layout, block.get(), slot % page_slots);
    p += count;
  }
}

void WindowCache::add_ring(const LayerCache& cache, int end, bool one_query, std::vector<KvSegment>& segments,
                           std::vector<std::int32_t>& positions) const {
  const int w = window_, s = sinks_;
  const int first = std::max(s, end - w), count = end - first;  // the ring holds positions first .. end-1
  // Slots are in order until the ring wraps; and to a single query that sees all of them their order doesn't matter.
  const bool in_order = one_query || end - s <= w;
  if (!in_order) {
    positions.resize(static_cast<std::size_t>(w));
    for (int p = first; p < end; ++p) positions[static_cast<std::size_t>((p - s) % w)] = p;
  }
  for (int slot = 0; slot < count; slot += page_slots) {
    const int page = slot / page_slots;
    segments.push_back({cache.blocks[first_page() + static_cast<std::size_t>(page)].get(), page_layout(page).slots,
                        std::min(page_slots, count - slot), first + slot, in_order ? nullptr : positions.data() + slot,
                        false});
  }
}

void WindowCache::load(const LayerCache& cache, int position, float* k, float* v) const {
  const int slot = (position - sinks_) % window_, page = slot / page_slots;
  load_kv(page_layout(page), cache.blocks[first_page() + static_cast<std::size_t>(page)].get(), slot % page_slots, k,
          v);
}

int WindowCache::ring_pages(int end) const {
  const int slots = std::min(window_, std::max(0, end - sinks_));
  return (slots + page_slots - 1) / page_slots;
}

KvLayout WindowCache::page_layout(int page) const {
  return block_.layout(std::min(page_slots, window_ - page * page_slots));
}

std::size_t WindowCache::bytes(int length) const {
  std::size_t bytes = sinks_ > 0 && length > 0 ? sink_layout_.bytes() : 0;
  for (int page = 0; page < ring_pages(length); ++page) bytes += page_layout(page).bytes();
  return bytes;
}

}  // namespace layerboost
