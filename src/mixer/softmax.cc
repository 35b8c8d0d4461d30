#include "mixer/softmax.h"

#include "mixer/attention_core.h"

namespace layerboost {

void SoftmaxMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  const Projected projected = block_.project(rows, workspace);
  std::vector<KvWrite> writes;
  for (const MixerSpan& span : rows.spans) cache_.put(span, writes);
  block_.store(writes, projected, workspace.scratch);

  std::vector<KvSegment> segments;  // of all spans, one after another
  std::vector<std::size_t> ends;
  for (const MixerSpan& span : rows.spans) {
    cache_.add_segments(span, false, segments);
    ends.push_back(segments.size());
  }
  std::vector<AttentionTask> tasks;
  std::size_t first = 0;
  for (std::size_t i = 0; i < rows.spans.size(); first = ends[i++])
    tasks.push_back(block_.task(rows.spans[i], projected, 0, std::span(segments).subspan(first, ends[i] - first)));
  block_.attend(tasks, workspace.scratch);
  block_.add_output(rows, projected, workspace);
}

constinit const MixerDescriptor softmax_descriptor = {
    .kind = MixerKind::softmax,
    .name = "softmax",
    .fields = {},
    .full_heads = false,
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
    .account = CacheAccount::softmax,
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
