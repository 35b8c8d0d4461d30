#include "mixer/map.h"

#include <algorithm>

#include "base/error.h"
#include "model/residual.h"

namespace layerboost {

MapMixer::MapMixer(const MixerPlace& place, std::span<const float> parameters)
    : DescribedMixer({.kind = MixerKind::map}, place.model.config), model_(place.model), weights_(place.weights()) {
  const std::int64_t D = model_.config.hidden;
  LB_CHECK(std::ssize(parameters) == D * D + D);
  bias_.assign(parameters.begin() + D * D, parameters.end());
  matrix_ = PackedMatrix(D, D, model_.precision, [&](std::int64_t first, std::int64_t count, float* rows) {
    std::copy_n(parameters.data() + first * D, count * D, rows);
    // The norm that makes the input has been divided by the layer's smoothing: multiply it back here.
    const std::vector<float>& smoothing = weights_.mixer_smoothing;
    for (std::int64_t i = 0; i < (smoothing.empty() ? 0 : count * D); ++i)
      rows[i] *= smoothing[static_cast<std::size_t>(i % D)];
  });
}

void MapMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  const StepTimes::Scope time(workspace.times, StepPhase::rows);
  const int D = model_.config.hidden;
  for (int row = 0; row < rows.rows; row += tile_rows) {
    const int count = std::min(tile_rows, rows.rows - row);
    const bool in_order = rows.index.empty();
    float* const tile = in_order ? rows.hidden + static_cast<std::ptrdiff_t>(row) * D : rows.hidden;
    const auto index =
        in_order ? rows.index : rows.index.subspan(static_cast<std::size_t>(row), static_cast<std::size_t>(count));
    workspace.normed.reshape(count, D, matrix_.precision());
    take_rows(tile, index, weights_.mixer_norm, model_.config, workspace.normed, workspace.scratch);
    float* const product = workspace.product.reserve_product(tile_rows, D);
    const Product mapped =
        timed_product(workspace, StepPhase::mixer_products, matrix_, workspace.normed, product);  // [count, D]
    add_rows(tile, index, add_bias(mapped, bias_.data(), product));
  }
}

namespace {

std::vector<ParameterShape> map_shapes(const Config& config, const MixerSpec& /*spec*/) {
  const std::int64_t D = config.hidden;
  return {{"weight", {D, D}}, {"bias", {D}}};
}

}  // namespace

constinit const MixerDescriptor map_descriptor = {
    .kind = MixerKind::map,
    .name = "map",
    .fields = {},
    .full_heads = false,
    .variants = {},
    .grammar = "map",
    .replacement = true,
    .weights = AttentionParts::norm,
    .parameter_shapes = map_shapes,
    .initial_parameters = nullptr,
    .fitted_map = true,
    .folds = always_folds,
    .make = [](const MixerPlace& place, const MixerSpec& /*spec*/, std::span<const float> parameters)
        -> std::unique_ptr<Mixer> { return std::make_unique<MapMixer>(place, parameters); },
    .make_core = nullptr,
    .cost = {.name = "map", .positions = no_positions, .state_bytes = no_state},
    .account = {},
    .exported = {.layer_type = "linear_attention", .meaning = "a linear map in place of attention"},
    .terminal = {.letters = "M", .numbered = false, .color = "30;45"},  // magenta
    .page = {.letter = "M",
             .name = "fixed map",
             .does = "It doesn\u2019t look back: a fixed map stands in for its attention.",
             .style = "map",
             .keeps = "nothing"},
};

}  // namespace layerboost
