#include "mixer/none.h"

namespace layerboost {

constinit const MixerDescriptor none_descriptor = {
    .kind = MixerKind::none,
    .name = "none",
    .fields = {},
    .full_heads = false,
    .variants = {},
    .grammar = "none",
    .replacement = true,
    .weights = AttentionParts::none,
    .parameter_shapes = nullptr,
    .initial_parameters = nullptr,
    .fitted_map = false,
    .folds = always_folds,
    .make = [](const MixerPlace& place, const MixerSpec& /*spec*/, std::span<const float> /*parameters*/)
        -> std::unique_ptr<Mixer> { return std::make_unique<NoMixer>(place); },
    .make_core = nullptr,
    .cost = {.name = nullptr, .positions = no_positions, .state_bytes = no_state},
    .account = {},
    .exported = {.layer_type = "linear_attention", .meaning = "nothing in place of attention"},
    .terminal = {.letters = ".", .numbered = false, .color = "37;100"},  // grey
    .page = {.letter = "\u2013",
             .name = "removed",
             .does = "Its attention was removed: it doesn\u2019t look back at all.",
             .style = "none",
             .keeps = "nothing"},
};

}  // namespace layerboost
