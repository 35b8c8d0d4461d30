#include "mixer/window.h"

#include "mixer/attention_core.h"

namespace layerboost {

constinit const MixerDescriptor window_descriptor = {
    .kind = MixerKind::window,
    .name = "window",
    .fields = window_and_sinks,
    .full_heads = true,
    .variants = {},
    .grammar =
        "window:W or window:W+S (W >= 1 recent positions, S sinks), with /full:HEAD,.. for KV heads that keep "
        "everything",
    .replacement = true,
    .weights = AttentionParts::all,
    .parameter_shapes = nullptr,
    .initial_parameters = nullptr,
    .fitted_map = false,
    .folds = always_folds,
    .make = [](const MixerPlace& place, const MixerSpec& spec, std::span<const float> /*parameters*/)
        -> std::unique_ptr<Mixer> { return std::make_unique<WindowMixer>(place, spec); },
    .make_core = make_attention_core,
    .cost = {.name = "window", .positions = window_positions, .state_bytes = no_state},
    .account = CacheAccount::window,
    .exported =
        {.layer_type = "sliding_attention",
         .meaning =
             "window:W+S: attention to the last W tokens and the first S (but to all in the KV heads behind /full:)"},
    .terminal = {.letters = "wW", .numbered = true, .color = "30;46"},  // cyan
    .page = {.letter = "W", .name = "window of {window}", .does = ".", .style = "window", .keeps = "window"},
};

}  // namespace layerboost
