#include "plan/cost_calibration.h"

#include <omp.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/sealed_file.h"
#include "mixer/descriptor.h"
#include "mixer/mixers.h"
#include "model/runner.h"

namespace layerboost {
namespace {

constexpr int version = 5;
constexpr int sinks = 4;

/// Pushes weights and caches out of the CPU's caches: in a real step other layers' weights do that.
void forget_caches() {
  static std::vector<std::int64_t> memory(std::size_t{128} << 17);  // 128 MB
#pragma omp parallel for
  for (std::size_t i = 0; i < memory.size(); i += 8) memory[i] += 1;
}

double median_seconds(int repeats, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < repeats + 1; ++i) {
    forget_caches();
    const Stopwatch clock;
    work();
    if (i > 0) seconds.push_back(clock.seconds());  // the first makes primitives and buffers
  }
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[repeats / 2];
}

/// Hidden states like any: the times don't depend on them.
std::vector<float> random_rows(int rows, int size) {
  Random random(1);
  std::vector<float> hidden(static_cast<std::size_t>(rows) * static_cast<std::size_t>(size));
  for (float& x : hidden) x = static_cast<float>(random.normal());
  return hidden;
}

/// One layer's mixer with the caches of several sequences.
class MixerBench {
 public:
  MixerBench(const Model& model, const Mixer& mixer, int batch, int context)
      : mixer_(mixer),
        // Those of short texts for all: the times don't depend on them.
        workspace_(RopeTable(model.config.rope_frequencies(), model.config.rope.attention_factor)),
        caches_(static_cast<std::size_t>(batch)) {
    constexpr int chunk = 512;
    hidden_ = random_rows(std::max(chunk, batch), model.config.hidden);
    workspace_.rope.grow(context + 1);
    for (LayerCache& cache : caches_) {
      cache.pools = &pools_;
      for (int position = 0; position < context; position += chunk)
        forward({{0, std::min(chunk, context - position), position, &cache}});
    }
    for (int i = 0; i < batch; ++i) step_.push_back({i, 1, context, &caches_[static_cast<std::size_t>(i)]});
  }

  /// The same step again and again: each writes the same position.
  double seconds(int repeats) {
    return median_seconds(repeats, [this] { forward(step_); });
  }

 private:
  void forward(const std::vector<MixerSpan>& spans) {
    const int rows =
        std::accumulate(spans.begin(), spans.end(), 0, [](int n, const MixerSpan& s) { return n + s.count; });
    mixer_.forward({hidden_.data(), {}, spans, rows}, workspace_);
  }

  const Mixer& mixer_;
  CachePools pools_;
  Workspace workspace_;
  std::vector<float> hidden_;  // [rows, D]
  std::vector<LayerCache> caches_;
  std::vector<MixerSpan> step_;
};

double rest_seconds(const Model& model, MixerSet& mixers, int batch, int repeats) {
  const MixerList& list = mixers.list(std::vector<MixerSpec>(static_cast<std::size_t>(model.config.layers), no_mixer));
  CachePools pools;
  Runner runner(model);
  std::vector<Sequence> sequences(static_cast<std::size_t>(batch), Sequence(list, pools));
  const std::vector<TokenId> token = {0};
  std::vector<BatchItem> items;
  for (Sequence& sequence : sequences) {
    sequence.set_rotations(model.config.rope.rotations(repeats + 1));
    items.push_back({&sequence, token});
  }
  std::vector<int> rows(static_cast<std::size_t>(batch));
  std::iota(rows.begin(), rows.end(), 0);
  return median_seconds(repeats, [&] { runner.logits(runner.forward(items), rows, [](const LogitsBlock&) {}); });
}

/// A mixer to measure, with so many positions in its caches.
struct Part {
  MixerSpec spec;
  int context;
};

/// What shows how a kind's times grow: its window's width, else the length of the sequence, unless it keeps nothing of
/// it.
std::vector<Part> parts_of(const MixerDescriptor& kind, const CostGrid& grid) {
  std::vector<Part> parts;
  if (kind.cost.name == nullptr) return parts;
  MixerSpec spec = {.kind = kind.kind};
  if (has_window(kind.kind)) {
    if (has_sinks(kind.kind)) spec.sinks = sinks;
    for (const int width : grid.windows) {
      spec.window = width;
      parts.push_back({spec, 2 * width + spec.sinks});
    }
  } else if (kind.cost.positions(spec, 1, 1) > 0) {
    for (const int context : grid.contexts) parts.push_back({spec, context});
  } else {
    parts.push_back({spec, 1});
  }
  return parts;
}

/// The names of the kinds' times, in their order.
std::vector<const char*> measured_names() {
  std::vector<const char*> names;
  for (const MixerDescriptor* kind : mixer_descriptors())
    if (kind->cost.name != nullptr) names.push_back(kind->cost.name);
  return names;
}

Json to_json(const CostKey& key) {
  return {{"cpu", key.cpu}, {"model", key.model}, {"precision", name_of(key.precision)}, {"threads", key.threads}};
}

Json to_json(const CostTerms& terms) {
  return {{"fixed", terms.fixed}, {"row", terms.row}, {"position", terms.position}};
}

CostTerms read_terms(const Json& json, const char* part, const std::string& where) {
  const Json terms = get<Json>(json, part, where);
  return {get<double>(terms, "fixed", where), get<double>(terms, "row", where), get<double>(terms, "position", where)};
}

}  // namespace

CostKey cost_key(const std::string& model_hash, Precision precision) {
  return {fmt::format("{}, {}", cpu_name(), name_of(best_isa())), model_hash, precision, omp_get_max_threads()};
}

fs::path cost_file(const CostKey& key) {
  return cache_dir() / "cost" / (sha256(to_json(key).dump()).substr(0, 16) + ".json");
}

std::optional<CostModel> read_cost(const CostKey& key) {
  const fs::path path = cost_file(key);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const std::string where = path.string();
  try {
    const Json json = read_json(path);
    if (!is_sealed(json)) fail("{}: damaged, or of an earlier version", where);
    if (get_or<int>(json, "version", 0, where) != version || get_or<Json>(json, "key", {}, where) != to_json(key))
      return {};
    CostModel model{read_terms(json, "rest", where), {}, get<int>(json, "kv_heads", where)};
    for (const char* name : measured_names()) model.mixers[name] = read_terms(json, name, where);
    return model;
  } catch (const Error& error) {
    warn("{}; measured again", error.what());
    return {};
  }
}

void write_cost(const CostKey& key, const CostModel& model) {
  Json json = {{"format", "layerboost-cost"},
               {"version", version},
               {"key", to_json(key)},
               {"kv_heads", model.kv_heads},
               {"rest", to_json(model.rest)}};
  for (const char* name : measured_names()) json[name] = to_json(model.mixers.at(name));
  write_json(cost_file(key), sealed_json(json));
}

CostModel measure_cost(const Model& model, const CostGrid& grid) {
  std::vector<Part> parts;
  MixerParameters parameters;
  for (const MixerDescriptor* kind : mixer_descriptors()) {
    for (const Part& part : parts_of(*kind, grid)) parts.push_back(part);
    if (kind->fitted_map) parameters[{0, kind->kind}] = std::vector<float>(parameter_count(model.config, {kind->kind}));
  }
  MixerSet mixers(model, std::move(parameters));
  std::vector<CostSample> rest;
  std::map<std::string, std::vector<CostSample>> samples;  // by CostLaw::name
  Progress progress("measure this machine", static_cast<std::int64_t>(grid.batches.size() * (parts.size() + 1)),
                    "parts");
  for (const int batch : grid.batches) {
    for (const Part& part : parts) {
      check_interrupt("stopped while measuring this machine; the same command starts that again");
      MixerBench bench(model, mixers.mixer(0, part.spec), batch, part.context);
      const CostLaw& law = descriptor_of(part.spec.kind).cost;
      samples[law.name].push_back(
          {batch, mean_positions(part.spec, model.config.kv_heads, part.context), bench.seconds(grid.repeats)});
      progress.advance();
    }
    rest.push_back({batch, 0, rest_seconds(model, mixers, batch, grid.repeats)});
    progress.advance();
  }
  CostModel cost{fit_cost(rest), {}, model.config.kv_heads};
  for (const auto& [name, of_kind] : samples) cost.mixers[name] = fit_cost(of_kind);
  return cost;
}

}  // namespace layerboost
