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
#include "mixer/mixers.h"
#include "model/runner.h"

namespace layerboost {
namespace {

constexpr int version = 2;
constexpr int sinks = 4;

const MixerSpec no_mixer = {MixerKind::none, 0, 0}, one_map = {MixerKind::map, 0, 0}, full_attention = {};

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
      : mixer_(mixer), workspace_(model.rope()), caches_(static_cast<std::size_t>(batch)) {
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
  for (Sequence& sequence : sequences) items.push_back({&sequence, token});
  std::vector<int> rows(static_cast<std::size_t>(batch));
  std::iota(rows.begin(), rows.end(), 0);
  return median_seconds(repeats, [&] { runner.logits(runner.forward(items), rows, [](const LogitsBlock&) {}); });
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
    return CostModel{read_terms(json, "rest", where),   read_terms(json, "softmax", where),
                     read_terms(json, "window", where), read_terms(json, "hybrid", where),
                     read_terms(json, "gated", where),  read_terms(json, "map", where)};
  } catch (const Error& error) {
    warn("{}; measured again", error.what());
    return {};
  }
}

void write_cost(const CostKey& key, const CostModel& model) {
  write_json(cost_file(key), sealed_json({{"format", "layerboost-cost"},
                                          {"version", version},
                                          {"key", to_json(key)},
                                          {"rest", to_json(model.rest)},
                                          {"softmax", to_json(model.softmax)},
                                          {"window", to_json(model.window)},
                                          {"hybrid", to_json(model.hybrid)},
                                          {"gated", to_json(model.gated)},
                                          {"map", to_json(model.map)}}));
}

CostModel measure_cost(const Model& model, const CostGrid& grid) {
  struct Part {
    MixerSpec spec;
    int context, positions;
  };
  std::vector<Part> parts = {{one_map, 1, 0}};
  for (const int context : grid.contexts) parts.push_back({full_attention, context, context});
  for (const int w : grid.windows) {
    parts.push_back({{MixerKind::window, w, sinks}, 2 * w + sinks, w + sinks});
    parts.push_back({{MixerKind::hybrid, w, sinks}, 2 * w + sinks, w + sinks});
    parts.push_back({{MixerKind::gated, w, 0}, 2 * w, w});
  }

  MixerSet mixers(model, {{{0, MixerKind::map}, std::vector<float>(parameter_count(model.config, MixerKind::map))}});
  std::map<MixerKind, std::vector<CostSample>> samples;
  Progress progress("measure this machine", static_cast<std::int64_t>(grid.batches.size() * (parts.size() + 1)),
                    "parts");
  for (const int batch : grid.batches) {
    for (const Part& part : parts) {
      check_interrupt("stopped while measuring this machine; the same command starts that again");
      MixerBench bench(model, mixers.mixer(0, part.spec), batch, part.context);
      samples[part.spec.kind].push_back({batch, part.positions, bench.seconds(grid.repeats)});
      progress.advance();
    }
    samples[MixerKind::none].push_back({batch, 0, rest_seconds(model, mixers, batch, grid.repeats)});
    progress.advance();
  }
  return {fit_cost(samples[MixerKind::none]),   fit_cost(samples[MixerKind::softmax]),
          fit_cost(samples[MixerKind::window]), fit_cost(samples[MixerKind::hybrid]),
          fit_cost(samples[MixerKind::gated]),  fit_cost(samples[MixerKind::map])};
}

}  // namespace layerboost
