#include "analyze/layer_probe.h"

#include <algorithm>
#include <cmath>

#include "mixer/attention_block.h"

namespace layerboost {

double cosine_importance(const float* before, const float* after, int rows, int hidden_size) {
  double total = 0;
#pragma omp parallel for reduction(+ : total) if (rows >= 64)
  for (int r = 0; r < rows; ++r) {
    const float* const x = before + static_cast<std::ptrdiff_t>(r) * hidden_size;
    const float* const y = after + static_cast<std::ptrdiff_t>(r) * hidden_size;
    double xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < hidden_size; ++i) {
      const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
      xx += a * a;
      yy += b * b;
      xy += a * b;
    }
    total += 1 - xy / std::sqrt(std::max(xx * yy, 1e-30));
  }
  return total / rows;
}

std::vector<double> last_token_entropy(const Model& model, int layer, std::span<const BatchItem> items, float* hidden,
                                       Workspace& workspace) {
  const AttentionBlock block({model, layer});
  std::vector<MixerSpan> spans;
  std::vector<LayerCache> caches(items.size());  // empty: they say where rotations begin
  int rows = 0;
  for (const BatchItem& item : items) {
    const int count = static_cast<int>(item.tokens.size());
    LayerCache& cache = caches[spans.size()];
    cache.rotations = model.config.rope.rotations(count);
    spans.push_back({rows, count, 0, &cache});
    rows += spans.back().count;
  }
  const Projected projected = block.project({hidden, {}, spans, rows}, workspace);

  std::vector<double> result;
  for (const MixerSpan& span : spans) {
    const KvLayout layout = block.layout(span.count);
    ScratchStack::Frame frame(workspace.scratch.caller());
    std::byte* const keys = frame.take<std::byte>(layout.bytes());
    const KvWrite all{&span, 0, span.count, layout, keys, 0, true};
    block.store({&all, 1}, projected, workspace.scratch);
    const KvSegment segment{keys, layout.slots, span.count, 0, nullptr, false};
    const MixerSpan last{span.row + span.count - 1, 1, span.count - 1, nullptr};
    float entropy = 0;
    const int window = model.config.windows[static_cast<std::size_t>(layer)];
    attention_entropy(block.attention_shape(layout), block.task(last, projected, window, {&segment, 1}), &entropy);
    result.push_back(static_cast<double>(entropy));
  }
  return result;
}

}  // namespace layerboost
