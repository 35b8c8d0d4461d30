#include "mixer/window.h"

#include <algorithm>
#include <memory>

namespace layerboost {
namespace {

/// A part of a chunk's own keys and values, laid out in a page of scratch memory.
struct ChunkPage {
  const MixerSpan* span;
  int first;  // counted from the span's first row
  int count;
  std::byte* page;
};

/// Views of caches as they grow, at addresses that stay: segments refer to positions, tasks to segments.
struct Views {
  std::vector<std::unique_ptr<std::vector<std::int32_t>>> positions;
  std::vector<std::vector<KvSegment>> segments;  // of each span
};

}  // namespace

WindowMixer::WindowMixer(const Model& model, int layer, const MixerSpec& spec)
    : spec_(spec),
      block_(model, layer),
      ring_layout_(block_.layout(spec.window)),
      sink_layout_(block_.layout(spec.sinks)),
      page_layout_(block_.layout(page_slots)) {}

void WindowMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  const int w = spec_.window, s = spec_.sinks;
  const Projected projected = block_.project(rows, workspace);

  // A single new token overwrites exactly the one that leaves its window, so it goes into the ring first and attention
  // sees ring and sinks only. A chunk is kept aside in pages until its queries have seen what the ring held before.
  std::vector<ChunkPage> pages;
  for (const MixerSpan& span : rows.spans) {
    prepare(*span.cache);
    store_sinks(span, projected);
    if (span.count == 1) {
      store_ring(span, projected);
      continue;
    }
    for (int first = std::clamp(s - span.position, 0, span.count); first < span.count; first += page_slots)
      pages.push_back({&span, first, std::min(page_slots, span.count - first), nullptr});
  }
  std::byte* const scratch = workspace.scratch.reserve(std::max<std::size_t>(pages.size(), 1) * page_layout_.bytes());
  const auto page_count = static_cast<std::ptrdiff_t>(pages.size());
#pragma omp parallel for schedule(static) if (page_count > 1)
  for (std::ptrdiff_t i = 0; i < page_count; ++i) {
    ChunkPage& page = pages[static_cast<std::size_t>(i)];
    page.page = scratch + static_cast<std::size_t>(i) * page_layout_.bytes();
    if (page.count < page_slots) clear_kv(page_layout_, page.page);
    block_.store(*page.span, projected, page.first, page.count, page_layout_, page.page, 0);
  }

  Views views;
  auto page = pages.begin();
  for (const MixerSpan& span : rows.spans) {
    std::vector<KvSegment>& segments = views.segments.emplace_back();
    const int end = span.position + span.count;
    if (s > 0) segments.push_back({sinks(*span.cache), sink_layout_.slots, std::min(s, end), 0, nullptr, true});
    // The ring holds positions s .. ring_end-1, the last w of them.
    const int ring_end = span.count == 1 ? end : span.position;
    if (ring_end - s > w && span.count > 1) {
      auto& positions =
          *views.positions.emplace_back(std::make_unique<std::vector<std::int32_t>>(static_cast<std::size_t>(w)));
      for (int p = ring_end - w; p < ring_end; ++p) positions[static_cast<std::size_t>((p - s) % w)] = p;
      segments.push_back({ring(*span.cache), ring_layout_.slots, w, 0, positions.data(), false});
    } else if (ring_end > s) {
      // Either the slots are in order, or one query sees all of them and their order doesn't matter.
      segments.push_back({ring(*span.cache), ring_layout_.slots, std::min(w, ring_end - s), std::max(s, ring_end - w),
                          nullptr, false});
    }
    for (; page != pages.end() && page->span == &span; ++page)
      segments.push_back({page->page, page_slots, page->count, span.position + page->first, nullptr, false});
  }
  std::vector<AttentionTask> tasks;
  for (std::size_t i = 0; i < rows.spans.size(); ++i)
    tasks.push_back(block_.task(rows.spans[i], projected, w, views.segments[i]));
  block_.attend(tasks);

  for (const MixerSpan& span : rows.spans)
    if (span.count > 1) store_ring(span, projected);
  block_.add_output(rows, projected, workspace);
}

void WindowMixer::prepare(LayerCache& cache) const {
  if (cache.blocks.empty()) {
    cache.blocks.push_back(cache.pools->allocate(ring_layout_.bytes()));
    if (spec_.sinks > 0) cache.blocks.push_back(cache.pools->allocate(sink_layout_.bytes()));
    return;
  }
  cache.pools->make_unique(cache.blocks.front(), ring_layout_.bytes());
  if (spec_.sinks > 0) cache.pools->make_unique(cache.blocks.back(), sink_layout_.bytes());
}

void WindowMixer::store_sinks(const MixerSpan& span, const Projected& projected) const {
  const int count = std::min(span.position + span.count, spec_.sinks) - span.position;
  if (count > 0) block_.store(span, projected, 0, count, sink_layout_, sinks(*span.cache), span.position);
}

void WindowMixer::store_ring(const MixerSpan& span, const Projected& projected) const {
  const int w = spec_.window, s = spec_.sinks, end = span.position + span.count;
  for (int p = std::max({s, span.position, end - w}); p < end;) {
    const int slot = (p - s) % w;
    const int count = std::min(w - slot, end - p);
    block_.store(span, projected, p - span.position, count, ring_layout_, ring(*span.cache), slot);
    p += count;
  }
}

std::size_t WindowMixer::cache_bytes(int length) const {
  if (length == 0) return 0;
  return ring_layout_.bytes() + (spec_.sinks > 0 ? sink_layout_.bytes() : 0);
}

}  // namespace layerboost
