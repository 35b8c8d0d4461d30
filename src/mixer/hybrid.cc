#include "mixer/hybrid.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "mixer/feature_maps.h"
#include "mixer/hybrid_core.h"

namespace layerboost {

/// What the two parts leave for combine(), and what the linear one reads.
struct HybridMixer::Parts {
  float *leaving_k, *leaving_v;  // [rows, G, d]
  float *log_sums, *maxima;      // [rows, H]
  float* sums;                   // [rows, H, d]
  float* totals;                 // [rows, H], zero where nothing lies behind the window

  Parts(const MixerRows& rows, const Config& config, ScratchStack::Frame& memory) {
    const auto n = static_cast<std::size_t>(rows.rows), H = static_cast<std::size_t>(config.heads),
               q = static_cast<std::size_t>(config.q_size()), kv = static_cast<std::size_t>(config.kv_size());
    leaving_k = memory.take<float>(n * (2 * kv + q + 3 * H));
    leaving_v = leaving_k + n * kv;
    sums = leaving_v + n * kv;
    log_sums = sums + n * q;
    maxima = log_sums + n * H;
    totals = maxima + n * H;
    std::fill_n(totals, n * H, 0.0F);
  }
};

HybridMixer::HybridMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
    : DescribedMixer(spec, place.model.config),
      block_(place),
      window_(block_, spec.window, spec.sinks, 1),
      map_size_(feature_map_size(place.model.config)),
      parameters_(parameters.begin(), parameters.end()) {
  LB_CHECK(parameters.size() == parameter_count(block_.config(), {MixerKind::hybrid}));
  const auto H = static_cast<std::size_t>(block_.heads());
  const std::size_t map = static_cast<std::size_t>(block_.config().q_size()) * static_cast<std::size_t>(map_size_);
  const std::span<const float> all = parameters_;
  q_features_ = all.first(map);
  k_features_ = all.subspan(map, map);
  for (const float weight : all.subspan(2 * map, H)) window_factors_.push_back(std::exp(weight));
}

void HybridMixer::forward(const MixerRows& rows, Workspace& workspace) const {
  const Projected projected = block_.project(rows, workspace);
  ScratchStack::Frame frame(workspace.scratch.caller());
  const Parts parts(rows, block_.config(), frame);
  prepare_states(rows);
  collect_leaving(rows, projected, parts);  // before the window's ring is written
  window_.attend(rows, projected, workspace.scratch, parts.log_sums, parts.maxima);
  run_states(rows, projected, parts, workspace.scratch);
  combine(rows, projected, parts);
  block_.add_output(rows, projected, workspace);
}

HybridMixer::Behind HybridMixer::behind(const MixerSpan& span) const {
  const int first = std::max(0, spec().window + spec().sinks - span.position);
  return {first, std::max(0, span.count - first)};
}

void HybridMixer::prepare_states(const MixerRows& rows) const {
  for (const MixerSpan& span : rows.spans) {
    reserve(*span.cache, span.position + span.count);
    if (behind(span).count > 0) span.cache->pools->make_unique(span.cache->blocks.front(), state_bytes());
  }
}

void HybridMixer::collect_leaving(const MixerRows& rows, const Projected& projected, const Parts& parts) const {
  const std::ptrdiff_t kv = block_.config().kv_size();
  const auto spans = std::ssize(rows.spans);
#pragma omp parallel for schedule(dynamic) if (spans > 8)
  for (std::ptrdiff_t s = 0; s < spans; ++s) {
    const MixerSpan& span = rows.spans[static_cast<std::size_t>(s)];
    const Behind own = behind(span);
    for (int i = own.first; i < own.first + own.count; ++i) {
      const std::ptrdiff_t row = span.row + i;
      const int position = span.position + i - spec().window;
      if (position < span.position) {
        window_.load(*span.cache, position, parts.leaving_k + row * kv, parts.leaving_v + row * kv);
      } else {
        std::copy_n(projected.k + (row - spec().window) * kv, kv, parts.leaving_k + row * kv);
        std::copy_n(projected.v + (row - spec().window) * kv, kv, parts.leaving_v + row * kv);
      }
    }
  }
}

LinearHead HybridMixer::linear_head(int head, int count, const float* k, const float* v) const {
  const Config& config = block_.config();
  const int d = config.head_size;
  const std::ptrdiff_t map = std::ptrdiff_t{head} * d * map_size_,
                       key = std::ptrdiff_t{head / (config.heads / config.kv_heads)} * d;
  return {.count = count,
          .head_size = d,
          .map_size = map_size_,
          .k = k + key,
          .v = v + key,
          .k_stride = config.kv_size(),
          .v_stride = config.kv_size(),
          .q_map = q_features_.data() + map,
          .k_map = k_features_.data() + map};
}

float* HybridMixer::state(const LayerCache& cache, int head) const {
  return reinterpret_cast<float*>(cache.blocks.front().get()) +
         head * static_cast<std::ptrdiff_t>(linear_state_floats(block_.config().head_size, map_size_));
}

void HybridMixer::run_states(const MixerRows& rows, const Projected& projected, const Parts& parts,
                             KernelScratch& scratch) const {
  const Config& config = block_.config();
  const int H = config.heads;
  const auto spans = std::ssize(rows.spans);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::ptrdiff_t s = 0; s < spans; ++s) {
    for (int head = 0; head < H; ++head) {
      const MixerSpan& span = rows.spans[static_cast<std::size_t>(s)];
      const Behind own = behind(span);
      if (own.count == 0) continue;
      const std::ptrdiff_t row = span.row + own.first, query = (row * H + head) * config.head_size,
                           key = row * config.kv_size();
      LinearHead linear = linear_head(head, own.count, parts.leaving_k + key, parts.leaving_v + key);
      linear.q = projected.q + query;
      linear.q_stride = config.q_size();
      linear_attention(linear, state(*span.cache, head), parts.sums + query, config.q_size(),
                       parts.totals + row * H + head, H, threads.mine());
    }
  }
}

void HybridMixer::combine(const MixerRows& rows, const Projected& projected, const Parts& parts) const {
  const int d = block_.config().head_size, H = block_.heads();
#pragma omp parallel for schedule(static) if (rows.rows > 16)
  for (int row = 0; row < rows.rows; ++row) {
    for (int head = 0; head < H; ++head) {
      const std::ptrdiff_t at = std::ptrdiff_t{row} * H + head;
      if (parts.totals[at] == 0) continue;  // all is in the window
      const float mass =
          window_factors_[static_cast<std::size_t>(head)] * std::exp2(parts.log_sums[at] - parts.maxima[at]);
      const float inverse = 1 / (mass + parts.totals[at]);
      float* const out = projected.output + at * d;
      for (int c = 0; c < d; ++c) out[c] = (mass * out[c] + parts.sums[at * d + c]) * inverse;
    }
  }
}

std::size_t HybridMixer::state_bytes() const {
  return static_cast<std::size_t>(block_.heads()) * linear_state_floats(block_.config().head_size, map_size_) *
         sizeof(float);
}

std::size_t HybridMixer::cache_bytes(int length) const {
  return window_.bytes(length) + (has_state(length) ? state_bytes() : 0);
}

void HybridMixer::reserve(LayerCache& cache, int length) const {
  if (cache.blocks.empty()) cache.blocks.emplace_back();
  if (cache.blocks.front() == nullptr && has_state(length)) cache.blocks.front() = cache.pools->allocate(state_bytes());
  window_.reserve(cache, length);
}

std::optional<KvPlace> HybridMixer::place_of(const LayerCache& cache, int length, int position, int head) const {
  return window_.place_of(cache, length, position, head);
}

bool HybridMixer::fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const {
  const auto* const wider = dynamic_cast<const HybridMixer*>(&from);
  if (wider != nullptr && !std::ranges::equal(wider->k_features_, k_features_)) return false;  // sums of other features
  if (!DescribedMixer::fold(from, cache, length, to)) return false;
  // What a wider window has left behind is in its state; what it still holds is added below.
  if (wider != nullptr && wider->has_state(length))
    std::copy_n(wider->state(cache, 0), state_bytes() / sizeof(float), state(to, 0));
  constexpr int chunk = 64;
  const Config& config = block_.config();
  const auto kv = static_cast<std::size_t>(config.kv_size());
  std::vector<float> k(chunk * kv), v(chunk * kv);
  KernelScratch scratch;
  const int behind = length - spec().window;  // positions from the sinks to here are in the state
  for (int position = spec().sinks; position < behind;) {
    int count = 0;
    for (; count < chunk && position < behind; ++position) {
      const std::size_t at = static_cast<std::size_t>(count) * kv;
      int there = 0;
      for (int head = 0; head < config.kv_heads; ++head) {
        const std::optional<KvPlace> place = from.place_of(cache, length, position, head);
        if (!place) continue;
        ++there;
        const std::size_t own = at + static_cast<std::size_t>(head) * static_cast<std::size_t>(config.head_size);
        load_kv(place->head_layout(), place->head_block(), place->slot, k.data() + own, v.data() + own);
      }
      if (there > 0 && there < config.kv_heads) {  // some heads' states would lack what others have
        to.blocks.clear();
        return false;
      }
      if (there > 0) ++count;
    }
    if (count > 0) add_to_state(to, count, k.data(), v.data(), scratch);
  }
  return true;
}

void HybridMixer::add_to_state(const LayerCache& cache, int count, const float* k, const float* v,
                               KernelScratch& scratch) const {
  const Config& config = block_.config();
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for
  for (int head = 0; head < config.heads; ++head) {
    ScratchStack::Frame unused(threads.mine());
    float* const sums = unused.take<float>(static_cast<std::size_t>(count * config.head_size));
    float* const totals = unused.take<float>(static_cast<std::size_t>(count));
    LinearHead linear = linear_head(head, count, k, v);
    linear.q = linear.k;  // only the state is wanted: any queries do
    linear.q_stride = linear.k_stride;
    linear_attention(linear, state(cache, head), sums, config.head_size, totals, 1, threads.mine());
  }
}

namespace {

// e^7 in favour of the window: a thousand positions behind it then weigh about a twentieth. Untrained hybrid:64+4 in 24
// layers of the default model: perplexity 19.7, 13.1, 12.81, 12.83 for 3, 5, 7, 9; window:64+4 has 12.83.
constexpr float initial_window_weight = 7;

/// q_features [H, d, f], k_features [H, d, f], window_weight [H].
std::vector<ParameterShape> hybrid_shapes(const Config& config, const MixerSpec& /*spec*/) {
  std::vector<ParameterShape> shapes = feature_shapes(config);
  shapes.push_back({"window_weight", {config.heads}});
  return shapes;
}

std::vector<float> initial_hybrid(const Config& config, const MixerSpec& /*spec*/) {
  std::vector<float> values = initial_features(config);
  values.insert(values.end(), static_cast<std::size_t>(config.heads), initial_window_weight);
  return values;
}

std::size_t hybrid_state_bytes(const Config& config, const MixerSpec& spec, int length) {
  return length > spec.window + spec.sinks ? feature_state_bytes(config) : 0;
}

}  // namespace

constinit const MixerDescriptor hybrid_descriptor = {
    .kind = MixerKind::hybrid,
    .name = "hybrid",
    .fields = window_and_sinks,
    .full_heads = false,
    .variants = {},
    .grammar = "hybrid:W or hybrid:W+S",
    .replacement = true,
    .weights = AttentionParts::all,
    .parameter_shapes = hybrid_shapes,
    .initial_parameters = initial_hybrid,
    .fitted_map = false,
    .folds = always_folds,
    .make = [](const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters)
        -> std::unique_ptr<Mixer> { return std::make_unique<HybridMixer>(place, spec, parameters); },
    .make_core = [](const Model& model, const MixerSpec& spec,
                    std::span<const float> parameters) -> std::unique_ptr<MixerCore> {
      return std::make_unique<HybridCore>(model.config, model.precision, spec,
                                          std::vector<float>(parameters.begin(), parameters.end()));
    },
    .cost = {.name = "hybrid", .positions = window_positions, .state_bytes = hybrid_state_bytes},
    .account = CacheAccount::state,
    .exported = {.layer_type = "sliding_attention",
                 .meaning = "hybrid:W+S: the same, and linear attention to what lies between"},
    .terminal = {.letters = "hH", .numbered = false, .color = "30;42"},  // green
    .page = {.letter = "H",
             .name = "window of {window} and summary",
             .does = ", and keeps a summary of fixed size of all others.",
             .style = "hybrid",
             .keeps = "window"},
};

}  // namespace layerboost
