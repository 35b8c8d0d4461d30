#include "model/runner.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/residual.h"

namespace layerboost {
namespace {

int total_rows(std::span<const BatchItem> items) {
  return std::accumulate(items.begin(), items.end(), 0,
                         [](int sum, const BatchItem& item) { return sum + static_cast<int>(item.tokens.size()); });
}

/// The rows of a step that use one mixer in one layer, gathered from the items.
struct Group {
  const Mixer* mixer = nullptr;
  std::vector<MixerSpan> spans;
  std::vector<int> index;
};

/// One group per mixer in use, in the order of first use. index is left empty where one group has all rows.
std::vector<Group> group_by_mixer(std::span<const BatchItem> items, int layer) {
  std::vector<Group> groups;
  int row = 0;
  for (const BatchItem& item : items) {
    const Mixer* const mixer = item.sequence->mixers()[static_cast<std::size_t>(layer)];
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.mixer == mixer; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{mixer, {}, {}});
    const int count = static_cast<int>(item.tokens.size());
    group->spans.push_back({static_cast<int>(group->index.size()), count, item.sequence->length(),
                            &item.sequence->cache(layer), item.sequence});
    for (int i = 0; i < count; ++i) group->index.push_back(row + i);
    row += count;
  }
  return groups;
}

/// The layers among first .. last-1 whose queries others of them read.
std::vector<int> sources_of(std::span<const BatchItem> items, int first, int last) {
  std::vector<int> sources;
  const MixerList* before = nullptr;
  for (const BatchItem& item : items) {
    const MixerList& mixers = item.sequence->mixers();
    if (&mixers == std::exchange(before, &mixers)) continue;
    for (int layer = first; layer < last; ++layer) {
      for (const int source : mixers[static_cast<std::size_t>(layer)]->sources()) {
        LB_CHECK(source >= first && source < layer && mixers[static_cast<std::size_t>(source)]->has_attention());
        if (std::ranges::find(sources, source) == sources.end()) sources.push_back(source);
      }
    }
  }
  return sources;
}

}  // namespace

void Runner::embed(std::span<const TokenId> tokens, float* hidden) const {
  const int vocab = model_.config.vocab;
  for (const TokenId id : tokens)
    if (id < 0 || id >= vocab) fail("token id {} is outside the vocabulary (0 to {})", id, vocab - 1);
  const auto D = static_cast<std::ptrdiff_t>(model_.config.hidden);
  const auto count = static_cast<std::ptrdiff_t>(tokens.size());
  const float scale = model_.config.embedding_scale;
#pragma omp parallel for if (count >= 64)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    float* const row = hidden + i * D;
    read_rows(model_.weights.embedding, tokens[static_cast<std::size_t>(i)], 1, row);
    for (std::ptrdiff_t j = 0; j < D && scale != 1; ++j) row[j] *= scale;
  }
}

void Runner::run_layers(std::span<const BatchItem> items, float* hidden, int first, int last) {
  const int rows = total_rows(items);
  workspace_.step.begin(sources_of(items, first, last), rows, model_.config.q_size());
  for (int layer = first; layer < last; ++layer) {
    mix(items, hidden, layer);
    mlp(hidden, rows, layer);
  }
  workspace_.step.end();
  if (last == model_.config.layers)
    for (const BatchItem& item : items) item.sequence->advance(static_cast<int>(item.tokens.size()));
}

void Runner::mix(std::span<const BatchItem> items, float* hidden, int layer) {
  for (const BatchItem& item : items) {
    Sequence& sequence = *item.sequence;
    const int length = sequence.length() + static_cast<int>(item.tokens.size());
    const int needed = model_.config.rope.rotations(length);
    if (sequence.length() == 0 && sequence.rotations() < needed) sequence.set_rotations(needed);
    LB_CHECK(sequence.rotations() >= needed);  // a text that has become long is to be read anew
    // For each by itself: the largest number of them may be that of a long text, for which short ones' rows aren't
    // made.
    workspace_.rope.grow(sequence.rotations() + length);
  }
  const std::vector<Group> groups = group_by_mixer(items, layer);
  for (const Group& group : groups) {
    const bool all = groups.size() == 1;
    const StepTimes::Scope time(workspace_.times, StepPhase::mixers);
    group.mixer->forward({hidden, all ? std::span<const int>() : std::span<const int>(group.index), group.spans,
                          static_cast<int>(group.index.size())},
                         workspace_);
  }
}

void Runner::mlp(float* hidden, int rows, int layer) {
  StepTimes& times = workspace_.times;
  const StepTimes::Scope time(times, StepPhase::rows);
  const Config& config = model_.config;
  const LayerWeights& weights = model_.weights.layers[static_cast<std::size_t>(layer)];
  const int D = config.hidden, F = config.ffn;
  for (int row = 0; row < rows; row += tile_rows) {
    const int count = std::min(tile_rows, rows - row);
    float* const tile = hidden + static_cast<std::ptrdiff_t>(row) * D;
    float* const product = workspace_.product.reserve_product(tile_rows, std::max(2 * F, D));

    workspace_.normed.reshape(count, D, weights.gate_up.precision());
    take_rows(tile, {}, weights.mlp_norm, config, workspace_.normed, workspace_.scratch);
    workspace_.observe(layer, Site::gate_up, workspace_.normed);
    Product gate_up =
        timed_product(workspace_, StepPhase::mlp_products, weights.gate_up, workspace_.normed, product);  // [count, 2F]
    if (!weights.gate_up_bias.empty()) gate_up = add_bias(gate_up, weights.gate_up_bias.data(), product);

    workspace_.activated.reshape(count, F, weights.down.precision());
    gate_mul(gate_up, config.gate, weights.down_rotation, workspace_.activated, workspace_.scratch);
    workspace_.observe(layer, Site::down, workspace_.activated);
    Product down =
        timed_product(workspace_, StepPhase::mlp_products, weights.down, workspace_.activated, product);  // [count, D]
    if (!weights.down_bias.empty()) down = add_bias(down, weights.down_bias.data(), product);
    add_output(tile, {}, down, weights.mlp_output_norm, config, workspace_.scratch);
  }
}

const float* Runner::forward(std::span<const BatchItem> items) {
  tokens_.clear();
  for (const BatchItem& item : items) tokens_.insert(tokens_.end(), item.tokens.begin(), item.tokens.end());
  float* const hidden = hidden_.reserve_as<float>(tokens_.size() * static_cast<std::size_t>(model_.config.hidden));
  {
    const StepTimes::Scope time(workspace_.times, StepPhase::rows);
    embed(tokens_, hidden);
  }
  run_layers(items, hidden, 0, model_.config.layers);
  return hidden;
}

void Runner::logits(const float* hidden, std::span<const int> rows,
                    const std::function<void(const LogitsBlock&)>& consume) {
  constexpr std::ptrdiff_t block_rows = 64;
  const Config& config = model_.config;
  float* const product = head_product_.reserve_product(std::min(std::ssize(rows), block_rows), config.vocab);
  for (std::ptrdiff_t first = 0; first < std::ssize(rows); first += block_rows) {
    const auto block = rows.subspan(static_cast<std::size_t>(first),
                                    static_cast<std::size_t>(std::min(block_rows, std::ssize(rows) - first)));
    workspace_.normed.reshape(static_cast<int>(block.size()), config.hidden, model_.weights.head.precision());
    rms_norm(hidden, block, model_.weights.final_norm.data(), config.norm_eps, workspace_.normed, workspace_.scratch);
    workspace_.observe(config.layers, Site::head, workspace_.normed);
    Product logits = timed_product(workspace_, StepPhase::head, model_.weights.head, workspace_.normed,
                                   product);  // [block, V]
    if (config.logit_soft_cap > 0) logits = soft_cap_rows(logits, config.logit_soft_cap, product);
    consume({block, logits.data, logits.row_scale, config.vocab});
  }
}

void Runner::final_states(const float* hidden, std::span<const int> rows,
                          const std::function<void(int count, const float* states)>& consume) {
  const Config& config = model_.config;
  while (!rows.empty()) {
    const auto block = rows.first(std::min(rows.size(), static_cast<std::size_t>(tile_rows)));
    const int count = static_cast<int>(block.size());
    workspace_.normed.reshape(count, config.hidden, Precision::f32);
    rms_norm(hidden, block, model_.weights.plain_final_norm.data(), config.norm_eps, workspace_.normed,
             workspace_.scratch);
    consume(count, workspace_.normed.f32(0));
    rows = rows.subspan(block.size());
  }
}

}  // namespace layerboost
