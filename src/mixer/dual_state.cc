#include "mixer/dual_state.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/attention.h"
#include "mixer/dual_state_core.h"

namespace layerboost {

/// What the projections leave for the states.
struct DualStateMixer::Parts {
  int rows;
  float *q, *k, *v;  // [rows, H, d], [rows, G, d] twice; before RoPE
  float* log_gates;  // [states, rows, G, d]
  float* z;          // [tile, states G d], of gates on x

  Parts(const MixerRows& all, const Config& config, int states, bool on_x, ScratchStack::Frame& memory)
      : rows(all.rows) {
    const auto n = static_cast<std::size_t>(rows), kv = static_cast<std::size_t>(config.kv_size());
    q = memory.take<float>(n * static_cast<std::size_t>(config.q_size()));
    k = memory.take<float>(n * kv);
    v = memory.take<float>(n * kv);
    log_gates = memory.take<float>(n * kv * static_cast<std::size_t>(states));
    z = on_x ? memory.take<float>((tile_rows + spare_rows) * kv * static_cast<std::size_t>(states)) : nullptr;
  }
};

DualStateMixer::DualStateMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
    : DescribedMixer(spec, place.model.config),
      block_(place),
      parameters_(parameters.begin(), parameters.end()),
      own_(place.model.config, spec, parameters_),
      weights_(blend_weights(own_.blend)),
      smoothing_(place.weights().o_smoothing),
      model_(place.model),
      layer_(place.layer) {
  const Config& config = block_.config();
  for (float& weight : weights_) weight /= std::sqrt(static_cast<float>(config.head_size));
  if (!has_variant(spec, DualStateVariant::gates_on_x)) return;
  const std::int64_t D = config.hidden, kv = config.kv_size();
  // The norm that makes x has been divided by the layer's smoothing: multiply it back here.
  const std::vector<float>& smoothing = place.weights().mixer_smoothing;
  gates_on_x_ = PackedMatrix(state_count(spec) * kv, D, place.model.precision,
                             [&](std::int64_t first, std::int64_t count, float* rows) {
                               for (std::int64_t i = 0; i < count * D; ++i) {
                                 const std::int64_t gate = first + i / D, input = i % D;
                                 rows[i] = own_.gates[gate / kv][static_cast<std::size_t>(input * kv + gate % kv)] *
                                           (smoothing.empty() ? 1 : smoothing[static_cast<std::size_t>(input)]);
                               }
                             });
}

void DualStateMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  ScratchStack::Frame frame(workspace.scratch.caller());
  const Parts parts(rows, block_.config(), state_count(spec()), has_variant(spec(), DualStateVariant::gates_on_x),
                    frame);
  prepare_states(rows);
  const Projected projected = block_.project(rows, workspace, see_tile(parts, workspace.scratch));
  find_gates(parts, workspace.scratch);
  run_states(rows, parts, projected.output, workspace.scratch);
  if (!own_.norm.empty()) normalise(rows.rows, projected.output);
  block_.add_output(rows, projected, workspace);
}

AttentionBlock::SeeTile DualStateMixer::see_tile(const Parts& parts, KernelScratch& scratch) const {
  return [this, &parts, &scratch](int row, const Activations& normed, const Product& qkv) {
    const Config& config = block_.config();
    const std::ptrdiff_t kv = config.kv_size();
    split_qkv(qkv, block_.qkv_shape(), nullptr, nullptr, parts.q + static_cast<std::ptrdiff_t>(row) * config.q_size(),
              parts.k + row * kv, parts.v + row * kv, scratch);
    if (parts.z == nullptr) return;
    const Product z = gates_on_x_.multiply(normed, parts.z, scratch);
    for (int i = 0; i < z.rows; ++i) {
      for (int s = 0; s < state_count(spec()); ++s) {
        float* const own = parts.z + (std::ptrdiff_t{i} * state_count(spec()) + s) * kv;  // z.data
        if (z.row_scale != nullptr)
          for (std::ptrdiff_t j = 0; j < kv; ++j) own[j] *= z.row_scale[i];
        log_gates(own, own_.biases[s].data(), config.kv_size(),
                  parts.log_gates + (std::ptrdiff_t{s} * parts.rows + row + i) * kv);
      }
    }
  };
}

/// Fills parts.log_gates where gates read k. Where they read x, see_tile() has done it.
void DualStateMixer::find_gates(const Parts& parts, KernelScratch& scratch) const {
  if (parts.z != nullptr) return;
  dual_state_log_gates(block_.config(), spec(), parameters_, {parts.rows, nullptr, parts.k}, parts.log_gates, scratch);
}

void DualStateMixer::prepare_states(const MixerRows& rows) const {
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    span.cache->pools->make_unique(span.cache->blocks.front(), state_bytes());
  }
}

DecayingHeads DualStateMixer::heads_of(int head, int count, const float* k, const float* v, const float* log_gates,
                                       int rows) const {
  const Config& config = block_.config();
  const int d = config.head_size;
  const std::ptrdiff_t kv = config.kv_size(), own = std::ptrdiff_t{head} * d;
  DecayingHeads heads;
  heads.count = count;
  heads.head_size = d;
  heads.heads = config.heads / config.kv_heads;
  heads.states = state_count(spec());
  heads.k = k + own;
  heads.v = v + own;
  heads.q_stride = config.q_size();
  heads.k_stride = heads.v_stride = heads.gate_stride = kv;
  for (int s = 0; s < heads.states; ++s) {
    heads.log_gates[s] = log_gates + std::ptrdiff_t{s} * rows * kv + own;
    heads.weights[s] = weights_[static_cast<std::size_t>(s)];
  }
  return heads;
}

void DualStateMixer::run_states(const MixerRows& rows, const Parts& parts, float* out, KernelScratch& scratch) const {
  const Config& config = block_.config();
  const std::ptrdiff_t kv = config.kv_size(), group = config.q_size() / config.kv_heads;
  const auto spans = std::ssize(rows.spans);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::ptrdiff_t s = 0; s < spans; ++s) {
    for (int head = 0; head < config.kv_heads; ++head) {
      const MixerSpan& span = rows.spans[static_cast<std::size_t>(s)];
      const std::ptrdiff_t row = span.row, query = row * config.q_size() + head * group;
      DecayingHeads heads =
          heads_of(head, span.count, parts.k + row * kv, parts.v + row * kv, parts.log_gates + row * kv, parts.rows);
      heads.q = parts.q + query;
      decaying_states(heads, state(*span.cache, head), out + query, config.q_size(), threads.mine());
    }
  }
}

/// RMSNorm of each head's output, of values as they are without smoothing.
void DualStateMixer::normalise(int rows, float* out) const {
  const Config& config = block_.config();
  const int d = config.head_size, ratio = config.heads / config.kv_heads;
#pragma omp parallel for schedule(static) if (rows > 16)
  for (int row = 0; row < rows; ++row) {
    for (int head = 0; head < config.heads; ++head) {
      float* const own = out + (std::ptrdiff_t{row} * config.heads + head) * d;
      const auto factor = [&](int j) {
        return smoothing_.empty() ? 1 : smoothing_[static_cast<std::size_t>(head / ratio * d + j)];
      };
      float squares = 0;
      for (int j = 0; j < d; ++j) squares += own[j] * factor(j) * own[j] * factor(j);
      const float inverse = 1 / std::sqrt(squares / static_cast<float>(d) + config.norm_eps);
      for (int j = 0; j < d; ++j) own[j] *= inverse * own_.norm[static_cast<std::size_t>(j)];
    }
  }
}

float* DualStateMixer::state(const LayerCache& cache, int head) const {
  return reinterpret_cast<float*>(cache.blocks.front().get()) +
         static_cast<std::size_t>(head) * decaying_state_floats(block_.config().head_size, state_count(spec()));
}

std::size_t DualStateMixer::state_bytes() const {
  return static_cast<std::size_t>(block_.config().kv_heads) *
         decaying_state_floats(block_.config().head_size, state_count(spec())) * sizeof(float);
}

std::size_t DualStateMixer::cache_bytes(int length) const { return length > 0 ? state_bytes() : 0; }

void DualStateMixer::reserve(LayerCache& cache, int /*length*/) const {
  if (cache.blocks.empty()) cache.blocks.push_back(cache.pools->allocate(state_bytes()));
}

bool DualStateMixer::fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const {
  if (length == 0) return true;
  if (has_variant(spec(), DualStateVariant::gates_on_x)) return false;
  constexpr int chunk = 64;
  const Config& config = block_.config();
  const int d = config.head_size;
  const auto kv = static_cast<std::size_t>(config.kv_size());
  std::vector<float> k(chunk * kv), v(chunk * kv), gates(static_cast<std::size_t>(state_count(spec())) * chunk * kv);
  KernelScratch scratch;
  RopeTable rope = model_.rope();
  rope.grow(cache.rotations + length);
  const auto attention_factor = static_cast<float>(config.rope.attention_factor);
  const int turned = config.rope.rotated_of(d) / 2;
  // Cosines and sines both have the factor, so keys have it once, and would twice.
  const auto rotate_back = [&](float* key, const RopeRow& turn) {
    const int first = config.first_rope_frequency(layer_);
    const float *const cosines = turn.cosines + first, *const sines = turn.sines + first;
    for (int i = 0; i < d / 2; ++i) {
      const float left = key[i], right = key[i + d / 2], factor = i < turned ? attention_factor : 1;
      key[i] = (left * cosines[i] + right * sines[i]) / (factor * factor);
      key[i + d / 2] = (right * cosines[i] - left * sines[i]) / (factor * factor);
    }
  };
  reserve(to, length);
  for (int first = 0; first < length; first += chunk) {
    const int count = std::min(chunk, length - first);
    std::size_t at = 0;
    for (int position = first; position < first + count; ++position) {
      ScratchStack::Frame frame(scratch.caller());
      const RopeRow turn = config.has_rope(layer_) ? rope.row(cache.rotations + position, frame) : RopeRow();
      for (int head = 0; head < config.kv_heads; ++head, at += static_cast<std::size_t>(d)) {
        const std::optional<KvPlace> place = from.place_of(cache, length, position, head);
        if (!place) {
          to.blocks.clear();
          return false;
        }
        load_kv(place->head_layout(), place->head_block(), place->slot, k.data() + at, v.data() + at);
        if (config.has_rope(layer_)) rotate_back(k.data() + at, turn);
      }
    }
    dual_state_log_gates(config, spec(), parameters_, {count, nullptr, k.data()}, gates.data(), scratch);
    const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for
    for (int head = 0; head < config.kv_heads; ++head) {
      ScratchStack::Frame unused(threads.mine());
      DecayingHeads heads = heads_of(head, count, k.data(), v.data(), gates.data(), count);
      heads.heads = 1;  // only the states are wanted: any queries do
      heads.q = heads.k;
      heads.q_stride = heads.k_stride;
      decaying_states(heads, state(to, head), unused.take<float>(static_cast<std::size_t>(count * d)), d,
                      threads.mine());
    }
  }
  return true;
}

namespace {

std::size_t dual_state_bytes(const Config& config, const MixerSpec& spec, int length) {
  return length > 0
             ? sizeof(float) * static_cast<std::size_t>(config.kv_heads) * static_cast<std::size_t>(state_count(spec)) *
                   static_cast<std::size_t>(config.head_size) * static_cast<std::size_t>(config.head_size)
             : 0;
}

constexpr const char* variant_list[] = {"x", "one", "norm", "short"};

}  // namespace

constinit const MixerDescriptor dual_state_descriptor = {
    .kind = MixerKind::dual_state,
    .name = "dual_state",
    .fields = {},
    .full_heads = false,
    .variants = variant_list,
    .grammar = "dual_state or dual_state:VARIANT+.. of x, one, norm, short",
    .replacement = false,  // untrained it says nothing of what it could do
    .weights = AttentionParts::all,
    .parameter_shapes = dual_state_shapes,
    .initial_parameters = initial_dual_state,
    .fitted_map = false,
    .folds = [](const MixerSpec& spec) { return !has_variant(spec, DualStateVariant::gates_on_x); },
    .make = [](const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
        -> std::unique_ptr<Mixer> { return std::make_unique<DualStateMixer>(place, spec, parameters); },
    .make_core = [](const Model& model, const MixerSpec& spec,
                    std::span<const float> parameters) -> std::unique_ptr<MixerCore> {
      return std::make_unique<DualStateCore>(model.config, spec,
                                             std::vector<float>(parameters.begin(), parameters.end()));
    },
    .cost = {.name = "dual_state", .positions = no_positions, .state_bytes = dual_state_bytes},
    .account = CacheAccount::state,
    .exported = {.layer_type = "linear_attention",
                 .meaning = "dual_state: linear attention out of two states, of which one fades slowly and one fast"},
    .terminal = {.letters = "D", .numbered = false, .color = "30;41"},  // red
    .page = {.letter = "D",
             .name = "fading summaries",
             .does = "It keeps summaries of fixed size in which what is older fades: in one slowly, in another fast.",
             .style = "dual",
             .keeps = "nothing"},
};

}  // namespace layerboost
