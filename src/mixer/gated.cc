#include "mixer/gated.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/linear_attention.h"
#include "mixer/feature_maps.h"
#include "mixer/gated_core.h"
#include "mixer/gated_parameters.h"

namespace layerboost {

/// What the two parts leave for combine(), and what the linear one reads.
struct GatedMixer::Parts {
  int rows;
  float *q_plain, *k_plain;  // [rows, H, d], [rows, G, d]
  float* log_decays;         // [H, rows]
  float* log_sums;           // [rows, H]
  float* sums;               // [rows, H, d]
  float* totals;             // [rows, H]
  float* v_again;            // [tile, G, d], split_qkv()'s, not needed
  float* gates;              // [tile + spare_rows, H]

  Parts(const MixerRows& all, const Config& config, ScratchStack::Frame& memory) : rows(all.rows) {
    const auto n = static_cast<std::size_t>(rows), H = static_cast<std::size_t>(config.heads),
               q = static_cast<std::size_t>(config.q_size()), kv = static_cast<std::size_t>(config.kv_size());
    q_plain = memory.take<float>(n * (2 * q + kv + 3 * H) + (tile_rows + spare_rows) * (kv + H));
    sums = q_plain + n * q;
    k_plain = sums + n * q;
    log_decays = k_plain + n * kv;
    log_sums = log_decays + n * H;
    totals = log_sums + n * H;
    v_again = totals + n * H;
    gates = v_again + (tile_rows + spare_rows) * kv;
  }
};

GatedMixer::GatedMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
    : DescribedMixer(spec, place.model.config),
      block_(place),
      window_(block_, spec.window, 0, 1),
      map_size_(feature_map_size(place.model.config)),
      parameters_(parameters.begin(), parameters.end()) {
  const Config& config = block_.config();
  LB_CHECK(parameters.size() == parameter_count(config, {MixerKind::gated}));
  const GatedParameters<const float> own(config, parameters_);
  q_features_ = own.q_features;
  k_features_ = own.k_features;
  gate_bias_ = own.gate_bias;
  linear_scale_ = own.linear_scale;
  window_scale_ = own.window_scale;
  for (int head = 0; head < config.heads; ++head) sinks_.push_back(own.log2_sinks(head));
  const std::int64_t D = config.hidden;
  // The norm that makes the input has been divided by the layer's smoothing: multiply it back here.
  const std::vector<float>& smoothing = place.weights().mixer_smoothing;
  gate_ =
      PackedMatrix(config.heads, D, place.model.precision, [&](std::int64_t first, std::int64_t count, float* rows) {
        std::copy_n(own.gate.data() + first * D, count * D, rows);
        for (std::int64_t i = 0; i < (smoothing.empty() ? 0 : count * D); ++i)
          rows[i] *= smoothing[static_cast<std::size_t>(i % D)];
      });
}

void GatedMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  ScratchStack::Frame frame(workspace.scratch.caller());
  const Parts parts(rows, block_.config(), frame);
  prepare_states(rows);
  const Projected projected = block_.project(rows, workspace, see_tile(parts, workspace.scratch));
  window_.attend(rows, projected, workspace.scratch, parts.log_sums);
  run_states(rows, projected, parts, workspace.scratch);
  combine(rows, projected, parts);
  block_.add_output(rows, projected, workspace);
}

AttentionBlock::SeeTile GatedMixer::see_tile(const Parts& parts, KernelScratch& scratch) const {
  return [this, &parts, &scratch](int row, const Activations& normed, const Product& qkv) {
    const Config& config = block_.config();
    split_qkv(qkv, block_.qkv_shape(), nullptr, nullptr,
              parts.q_plain + static_cast<std::ptrdiff_t>(row) * config.q_size(),
              parts.k_plain + static_cast<std::ptrdiff_t>(row) * config.kv_size(), parts.v_again, scratch);
    const Product gates = gate_.multiply(normed, parts.gates, scratch);
    for (int i = 0; i < gates.rows; ++i) {
      const float scale = gates.row_scale != nullptr ? gates.row_scale[i] : 1;
      for (int head = 0; head < config.heads; ++head)
        parts.log_decays[std::ptrdiff_t{head} * parts.rows + row + i] =
            log_sigmoid(scale * gates.data[i * config.heads + head] + gate_bias_[static_cast<std::size_t>(head)]);
    }
  };
}

void GatedMixer::prepare_states(const MixerRows& rows) const {
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    span.cache->pools->make_unique(span.cache->blocks.front(), state_bytes());
  }
}

void GatedMixer::run_states(const MixerRows& rows, const Projected& projected, const Parts& parts,
                            KernelScratch& scratch) const {
  const Config& config = block_.config();
  const int d = config.head_size, H = config.heads, ratio = H / config.kv_heads;
  const std::ptrdiff_t map = std::ptrdiff_t{d} * map_size_;
  const auto state = static_cast<std::ptrdiff_t>(linear_state_floats(d, map_size_));
  const auto spans = std::ssize(rows.spans);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::ptrdiff_t s = 0; s < spans; ++s) {
    for (int head = 0; head < H; ++head) {
      const MixerSpan& span = rows.spans[static_cast<std::size_t>(s)];
      const std::ptrdiff_t row = span.row, query = (row * H + head) * d,
                           key = (row * config.kv_heads + head / ratio) * d;
      const LinearHead linear = {span.count,
                                 d,
                                 map_size_,
                                 parts.q_plain + query,
                                 parts.k_plain + key,
                                 projected.v + key,
                                 config.q_size(),
                                 config.kv_size(),
                                 config.kv_size(),
                                 q_features_.data() + head * map,
                                 k_features_.data() + head * map,
                                 parts.log_decays + std::ptrdiff_t{head} * parts.rows + row};
      float* const states = reinterpret_cast<float*>(span.cache->blocks.front().get());
      linear_attention(linear, states + head * state, parts.sums + query, config.q_size(),
                       parts.totals + row * H + head, H, threads.mine());
    }
  }
}

void GatedMixer::combine(const MixerRows& rows, const Projected& projected, const Parts& parts) const {
  const int d = block_.config().head_size, H = block_.heads();
#pragma omp parallel for schedule(static) if (rows.rows > 16)
  for (int row = 0; row < rows.rows; ++row) {
    for (int head = 0; head < H; ++head) {
      const std::ptrdiff_t at = std::ptrdiff_t{row} * H + head;
      const auto h = static_cast<std::size_t>(head);
      const float window = window_scale_[h] * share_beside_sinks(parts.log_sums[at], sinks_[h]);
      const float linear = linear_scale_[h] / parts.totals[at];
      float* const out = projected.output + at * d;
      for (int c = 0; c < d; ++c) out[c] = window * out[c] + linear * parts.sums[at * d + c];
    }
  }
}

std::size_t GatedMixer::state_bytes() const {
  return static_cast<std::size_t>(block_.heads()) * linear_state_floats(block_.config().head_size, map_size_) *
         sizeof(float);
}

std::size_t GatedMixer::cache_bytes(int length) const { return length > 0 ? window_.bytes(length) + state_bytes() : 0; }

void GatedMixer::reserve(LayerCache& cache, int length) const {
  if (cache.blocks.empty()) cache.blocks.push_back(cache.pools->allocate(state_bytes()));
  window_.reserve(cache, length);
}

std::optional<KvPlace> GatedMixer::place_of(const LayerCache& cache, int length, int position, int head) const {
  return window_.place_of(cache, length, position, head);
}

bool GatedMixer::fold(const Mixer& /*from*/, const LayerCache& /*cache*/, int length, LayerCache& /*to*/) const {
  return length == 0;
}

namespace {

// A gate of 0.993: half of what was written is left after a hundred positions.
constexpr float initial_gate_bias = 5;

/// The tensors of the kind's parameters, in the order of GatedParameters.
std::vector<ParameterShape> gated_shapes(const Config& config, const MixerSpec& /*spec*/) {
  const std::int64_t D = config.hidden, H = config.heads;
  std::vector<ParameterShape> shapes = feature_shapes(config);
  shapes.push_back({"gate", {H, D}});
  shapes.push_back({"gate_bias", {H}});
  shapes.push_back({"sink_logits", {H, gated_sink_logits}});
  shapes.push_back({"linear_scale", {H}});
  shapes.push_back({"window_scale", {H}});
  return shapes;
}

std::vector<float> initial_gated(const Config& config, const MixerSpec& /*spec*/) {
  const auto H = static_cast<std::size_t>(config.heads);
  std::vector<float> values = initial_features(config);
  const auto add = [&](std::size_t count, float value) { values.insert(values.end(), count, value); };
  add(H * static_cast<std::size_t>(config.hidden), 0);
  add(H, initial_gate_bias);
  add(H * gated_sink_logits, 0);
  add(H, 0);
  add(H, 1);
  return values;
}

std::size_t gated_state_bytes(const Config& config, const MixerSpec& /*spec*/, int length) {
  return length > 0 ? feature_state_bytes(config) : 0;
}

}  // namespace

constinit const MixerDescriptor gated_descriptor = {
    .kind = MixerKind::gated,
    .name = "gated",
    .fields = window_alone,
    .full_heads = false,
    .variants = {},
    .grammar = "gated:W",
    .replacement = true,
    .weights = AttentionParts::all,
    .parameter_shapes = gated_shapes,
    .initial_parameters = initial_gated,
    .fitted_map = false,
    .folds = never_folds,
    .make = [](const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
        -> std::unique_ptr<Mixer> { return std::make_unique<GatedMixer>(place, spec, parameters); },
    .make_core = [](const Model& model, const MixerSpec& spec,
                    std::span<const float> parameters) -> std::unique_ptr<MixerCore> {
      return std::make_unique<GatedCore>(model.config, model.precision, spec,
                                         std::vector<float>(parameters.begin(), parameters.end()));
    },
    .cost = {.name = "gated", .positions = window_positions, .state_bytes = gated_state_bytes},
    .account = CacheAccount::state,
    .exported = {.layer_type = "sliding_attention",
                 .meaning = "gated:W: attention to the last W tokens, and linear attention that fades"},
    .terminal = {.letters = "gG", .numbered = false, .color = "30;44"},  // blue
    .page = {.letter = "G",
             .name = "fading summary and window of {window}",
             .does = ", and keeps a summary of fixed size in which what is older fades.",
             .style = "gated",
             .keeps = "window"},
};

}  // namespace layerboost
