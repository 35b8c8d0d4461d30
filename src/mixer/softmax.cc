#include "mixer/softmax.h"

#include <algorithm>

#include "mixer/attention_core.h"

namespace layerboost {
namespace {

int pages_for(int length) { return (length + page_slots - 1) / page_slots; }

}  // namespace

void SoftmaxMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  const Projected projected = block_.project(rows, workspace);
  const KvLayout layout = block_.layout(page_slots);

  std::vector<KvWrite> writes;
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    std::vector<Block>& pages = span.cache->blocks;
    for (int first = 0; first < span.count;) {
      const int position = span.position + first;
      const auto page = static_cast<std::size_t>(position / page_slots);
      const int slot = position % page_slots;
      const int count = std::min(page_slots - slot, span.count - first);
      span.cache->pools->make_unique(pages[page], layout.bytes());
      writes.push_back({&span, first, count, layout, pages[page].get(), slot});
      first += count;
    }
  }
  block_.store(writes, projected, workspace.scratch);

  std::vector<KvSegment> segments;  // of all spans, one after another
  for (const MixerSpan& span : rows.spans) {
    const int length = span.position + span.count;
    for (int page = 0; page < pages_for(length); ++page)
      segments.push_back({span.cache->blocks[static_cast<std::size_t>(page)].get(), page_slots,
                          std::min(page_slots, length - page * page_slots), page * page_slots, nullptr, false});
  }
  std::vector<AttentionTask> tasks;
  std::size_t first_segment = 0;
  for (const MixerSpan& span : rows.spans) {
    const auto pages = static_cast<std::size_t>(pages_for(span.position + span.count));
    tasks.push_back(block_.task(span, projected, 0, std::span(segments).subspan(first_segment, pages)));
    first_segment += pages;
  }
  block_.attend(tasks, workspace.scratch);
  block_.add_output(rows, projected, workspace);
}

std::size_t SoftmaxMixer::cache_bytes(int length) const {
  return static_cast<std::size_t>(pages_for(length)) * block_.layout(page_slots).bytes();
}

void SoftmaxMixer::reserve(LayerCache& cache, int length) const {
  while (std::ssize(cache.blocks) < pages_for(length))
    cache.blocks.push_back(cache.pools->allocate(block_.layout(page_slots).bytes()));
}

std::optional<KvPlace> SoftmaxMixer::place_of(const LayerCache& cache, int length, int position) const {
  if (position < 0 || position >= length) return {};
  return KvPlace{block_.layout(page_slots), cache.blocks[static_cast<std::size_t>(position / page_slots)].get(),
                 position % page_slots};
}

constinit const MixerDescriptor softmax_descriptor = {
    .kind = MixerKind::softmax,
    .name = "softmax",
    .fields = {},
    .grammar = "softmax",
    .replacement = false,
    .weights = AttentionParts::all,
    .parameter_shapes = nullptr,
    .initial_parameters = nullptr,
    .fitted_map = false,
    .make = [](const MixerPlace& place, const MixerSpec& /*spec*/, std::span<const float> /*parameters*/)
        -> std::unique_ptr<Mixer> { return std::make_unique<SoftmaxMixer>(place); },
    .make_core = make_attention_core,
    .cost = {.name = "softmax", .positions = all_positions, .state_bytes = no_state},
    .cache = {.account = CacheAccount::softmax, .writes = CacheWrites::last_block},
    .exported = {.layer_type = "full_attention", .meaning = "full attention"},
    .terminal = {.letters = "S", .numbered = false, .color = "30;43"},  // yellow
    .page = {.letter = "F",
             .name = "full attention",
             .does = "It looks back at everything.",
             .style = "softmax",
             .keeps = "all",
             .state = "never"},
};

}  // namespace layerboost
