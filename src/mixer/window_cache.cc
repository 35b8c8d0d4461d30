#include "mixer/window_cache.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {

WindowCache::WindowCache(const AttentionBlock& block, int window, int sinks, std::size_t first_block, HeadSet full)
    : block_(block), window_(window), sinks_(sinks), first_block_(first_block), full_(full) {
  const Config& config = block.config();
  if (full != 0) {
    std::vector<int> full_heads;
    for (int head = 0; head < config.kv_heads; ++head) {
      std::vector<int>& heads = has_head(full, head) ? full_heads : near_heads_;
      places_.push_back(static_cast<int>(heads.size()));
      heads.push_back(head);
    }
    LB_CHECK(!full_heads.empty() && !near_heads_.empty());
    full_pages_.emplace(block, first_page() + static_cast<std::size_t>(ring_pages(window + sinks)),
                        std::move(full_heads));
  }
  sink_layout_ = block.layout(sinks, near_heads_);
  chunk_layout_ = block.layout(page_slots, near_heads_);
}

void WindowCache::attend(const MixerRows& rows, const Projected& projected, KernelScratch& scratch, float* log_sums,
                         float* maxima) const {
  // A single new token overwrites exactly the one that leaves its window, so it goes into the ring first and attention
  // sees ring and sinks only. A chunk is kept aside in pages until its queries have seen what the ring held before.
  std::size_t pages = 0;
  for (const MixerSpan& span : rows.spans) pages += static_cast<std::size_t>(chunk_pages(span));
  ScratchStack::Frame frame(scratch.caller());
  std::byte* const memory = frame.take<std::byte>(pages * chunk_layout_.bytes());
  const auto chunk_bytes = [&](const MixerSpan& span) {
    return static_cast<std::size_t>(chunk_pages(span)) * chunk_layout_.bytes();
  };
  std::vector<KvWrite> before, after;
  std::byte* chunk = memory;
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    put_sinks(span, before);
    put_ring(span, span.count == 1 ? before : after);
    put_chunk(span, chunk, before);
    if (has_full()) full_pages_->put(span, before);
    chunk += chunk_bytes(span);
  }
  block_.store(before, projected, scratch);

  std::vector<KvSegment> segments;  // of all spans, one after another
  std::vector<std::size_t> ends;
  std::vector<std::vector<std::int32_t>> positions;
  chunk = memory;
  for (const MixerSpan& span : rows.spans) {
    add_segments(span, chunk, segments, positions);
    ends.push_back(segments.size());
    chunk += chunk_bytes(span);
  }
  std::vector<FullView> views;
  if (has_full())
    for (const MixerSpan& span : rows.spans) views.push_back(full_view(span));
  std::vector<AttentionTask> tasks;
  std::size_t first = 0;
  for (std::size_t i = 0; i < rows.spans.size(); first = ends[i++]) {
    const MixerSpan& span = rows.spans[i];
    AttentionTask& task =
        tasks.emplace_back(block_.task(span, projected, window_, std::span(segments).subspan(first, ends[i] - first)));
    const std::ptrdiff_t row = std::ptrdiff_t{span.row} * block_.heads();
    if (has_full()) task.heads = views[i].heads;
    task.log_sums = log_sums == nullptr ? nullptr : log_sums + row;
    task.maxima = maxima == nullptr ? nullptr : maxima + row;
  }
  block_.attend(tasks, scratch);
  block_.store(after, projected, scratch);
}

void WindowCache::reserve(LayerCache& cache, int length) const {
  if (length == 0) return;
  std::vector<Block>& blocks = cache.blocks;
  if (blocks.size() == first_block_ && sinks_ > 0) blocks.push_back(cache.pools->allocate(sink_layout_.bytes()));
  const int pages = ring_pages(length);
  const std::size_t end = has_full() ? full_pages_->first_block() : first_page() + static_cast<std::size_t>(pages);
  if (blocks.size() < end) blocks.resize(end);
  for (int page = pages - 1; page >= 0; --page) {
    Block& block = blocks[first_page() + static_cast<std::size_t>(page)];
    if (block != nullptr) break;
    block = cache.pools->allocate(page_layout(page).bytes());
  }
  if (has_full()) full_pages_->reserve(cache, length);
}

std::size_t WindowCache::bytes_to_copy(const LayerCache& cache, int length) const {
  const std::size_t end = has_full() ? full_pages_->first_block() : cache.blocks.size();
  std::size_t bytes = has_full() ? full_pages_->bytes_to_copy(cache, length) : 0;
  for (std::size_t i = first_block_; i < std::min(end, cache.blocks.size()); ++i)
    bytes += CachePools::bytes_to_copy(cache.blocks[i]);
  return bytes;
}

WindowCache::FullView WindowCache::full_view(const MixerSpan& span) const {
  FullView view;
  full_pages_->add_segments(span, true, view.segments);
  const Config& config = block_.config();
  for (int head = 0; head < config.heads; ++head) {
    const int kv_head = head / (config.heads / config.kv_heads), place = places_[static_cast<std::size_t>(kv_head)];
    view.heads.push_back({head, place, place, {}});
    if (has_head(full_, kv_head)) view.heads.back().segments = view.segments;
  }
  return view;
}

void WindowCache::put_sinks(const MixerSpan& span, std::vector<KvWrite>& writes) const {
  const int count = std::min(span.position + span.count, sinks_) - span.position;
  if (count <= 0) return;
  Block& block = span.cache->blocks[first_block_];
  span.cache->pools->make_unique(block, sink_layout_.bytes());
  writes.push_back(write(span, 0, count, sink_layout_, block.get(), span.position));
}

void WindowCache::put_ring(const MixerSpan& span, std::vector<KvWrite>& writes) const {
  const int w = window_, s = sinks_, end = span.position + span.count;
  for (int p = std::max({s, span.position, end - w}); p < end;) {
    const int slot = (p - s) % w, page = slot / page_slots;
    const int count = std::min({std::min(w, (page + 1) * page_slots) - slot, end - p});
    const KvLayout layout = page_layout(page);
    Block& block = span.cache->blocks[first_page() + static_cast<std::size_t>(page)];
    span.cache->pools->make_unique(block, layout.bytes());
    writes.push_back(write(span, p - span.position, count, layout, block.get(), slot % page_slots));
    p += count;
  }
}

void WindowCache::put_chunk(const MixerSpan& span, std::byte* memory, std::vector<KvWrite>& writes) const {
  for (int page = 0; page < chunk_pages(span); ++page) {
    const int first = behind_sinks(span) + page * page_slots, count = std::min(page_slots, span.count - first);
    writes.push_back(write(span, first, count, chunk_layout_,
                           memory + static_cast<std::size_t>(page) * chunk_layout_.bytes(), 0,
                           count < page_slots || chunk_layout_.padded_key() > chunk_layout_.head_size));
  }
}

int WindowCache::behind_sinks(const MixerSpan& span) const { return std::clamp(sinks_ - span.position, 0, span.count); }

int WindowCache::chunk_pages(const MixerSpan& span) const {
  return span.count == 1 ? 0 : (span.count - behind_sinks(span) + page_slots - 1) / page_slots;
}

void WindowCache::add_segments(const MixerSpan& span, const std::byte* chunk, std::vector<KvSegment>& segments,
                               std::vector<std::vector<std::int32_t>>& positions) const {
  const int w = window_, s = sinks_, end = span.position + span.count;
  const LayerCache& cache = *span.cache;
  if (s > 0) segments.push_back({sinks(cache), sink_layout_.slots, std::min(s, end), 0, nullptr, true});

  const bool one_query = span.count == 1;
  const int kept = one_query ? end : span.position;  // the ring holds positions first .. kept - 1
  const int first = std::max(s, kept - w), count = kept - first;
  // Slots are in order until the ring wraps; and to a single query that sees all of them their order doesn't matter.
  const std::int32_t* order = nullptr;
  if (!one_query && kept - s > w) {
    std::vector<std::int32_t>& own = positions.emplace_back(static_cast<std::size_t>(w));
    for (int p = first; p < kept; ++p) own[static_cast<std::size_t>((p - s) % w)] = p;
    order = own.data();
  }
  for (int slot = 0; slot < count; slot += page_slots) {
    const int page = slot / page_slots;
    segments.push_back({cache.blocks[first_page() + static_cast<std::size_t>(page)].get(), page_layout(page).slots,
                        std::min(page_slots, count - slot), first + slot, order == nullptr ? nullptr : order + slot,
                        false});
  }

  for (int page = 0; page < chunk_pages(span); ++page) {
    const int row = behind_sinks(span) + page * page_slots;
    segments.push_back({chunk + static_cast<std::size_t>(page) * chunk_layout_.bytes(), page_slots,
                        std::min(page_slots, span.count - row), span.position + row, nullptr, false});
  }
}

void WindowCache::load(const LayerCache& cache, int position, float* k, float* v) const {
  const int slot = (position - sinks_) % window_, page = slot / page_slots;
  load_kv(page_layout(page), cache.blocks[first_page() + static_cast<std::size_t>(page)].get(), slot % page_slots, k,
          v);
}

std::optional<KvPlace> WindowCache::place_of(const LayerCache& cache, int length, int position, int head) const {
  const int place = has_full() ? places_[static_cast<std::size_t>(head)] : head;
  if (has_full() && has_head(full_, head)) return full_pages_->place_of(cache, length, position, place);
  if (position < 0 || position >= length) return {};
  if (position < sinks_) return KvPlace{sink_layout_, sinks(cache), position, place};
  if (position < length - window_) return {};
  const int slot = (position - sinks_) % window_, page = slot / page_slots;
  return KvPlace{page_layout(page), cache.blocks[first_page() + static_cast<std::size_t>(page)].get(),
                 slot % page_slots, place};
}

int WindowCache::ring_pages(int end) const {
  const int slots = std::min(window_, std::max(0, end - sinks_));
  return (slots + page_slots - 1) / page_slots;
}

KvLayout WindowCache::page_layout(int page) const {
  return block_.layout(std::min(page_slots, window_ - page * page_slots), near_heads_);
}

std::size_t WindowCache::bytes(int length) const {
  std::size_t bytes = sinks_ > 0 && length > 0 ? sink_layout_.bytes() : 0;
  for (int page = 0; page < ring_pages(length); ++page) bytes += page_layout(page).bytes();
  return has_full() ? bytes + full_pages_->bytes(length) : bytes;
}

}  // namespace layerboost
