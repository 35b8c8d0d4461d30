#include "mixer/softmax.h"

#include "mixer/attention_core.h"

namespace layerboost {

constinit const MixerDescriptor softmax_descriptor = {
    .kind = MixerKind::softmax,
    .name = "softmax",
    .fields = {},
    .full_heads = false,
    .variants = {},
    .grammar = "softmax",
    .replacement = false,
    .weights = AttentionParts::all,
    .parameter_shapes = nullptr,
    .initial_parameters = nullptr,
    .fitted_map = false,
    .folds = always_folds,
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
             .keeps = "all"},
};

}  // namespace layerboost
