#include "analyze/sweep.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <set>

#include "analyze/calibration_runner.h"
#include "analyze/gradient_estimate.h"
#include "analyze/layer_probe.h"
#include "analyze/map_regression.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "eval/statistics.h"
#include "eval/tasks.h"
#include "mixer/descriptor.h"
#include "model/residual.h"
#include "plan/rank_correlation.h"

namespace layerboost {
namespace {

Measured measured(std::vector<double> differences) {
  const Estimate result = estimate(differences);
  return {result.mean, differences.size() > 1 ? result.error : 0, std::move(differences)};
}

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

/// Where a rank keeps its part: the first in `path`, others in STEM.rankN.EXTENSION.
fs::path path_of_rank(fs::path path, const Ranks* ranks) {
  if (ranks == nullptr || ranks->first()) return path;
  return path.replace_extension(fmt::format(".rank{}{}", ranks->rank(), path.extension().string()));
}

/// One sweep under way.
class Sweep {
 public:
  Sweep(const Model& model, MixerSet& mixers, const Calibration& calibration, const SweepOptions& options,
        fs::path path, const std::function<Json()>& run)
      : model_(model),
        mixers_(mixers),
        options_(options),
        path_(path_of_rank(std::move(path), options.ranks)),
        run_(run),
        native_(native_specs(model.config)),
        unchanged_(mixers.list(native_)),
        runner_(model, calibration) {
    for (const MixerSpec& choice : options.choices)
      if (descriptor_of(choice.kind).fitted_map) fitted_kinds_.insert(choice.kind);
    begin(calibration);
    share_out();
    say_what_is_left_out();
  }

  Analysis sweep() {
    if (missing_.empty()) return analysis_;
    try {
      measure_missing();
      gather();
      return analysis_;
    } catch (const Interrupted&) {
      if (analysis_.layers.empty()) throw Interrupted("stopped before the first layer; the same command begins again");
      throw Interrupted(fmt::format("stopped after {} of {} layers; the same command goes on from {}",
                                    analysis_.layers.size(), model_.config.layers, path_.string()));
    }
  }

 private:
  void measure_missing() {
    record_unchanged();
    estimate();
    Progress progress("analyze", work_ahead(), "tokens");
    float* const hidden = hidden_.reserve_as<float>(runner_.rows() * static_cast<std::size_t>(model_.config.hidden));
    runner_.embed(hidden);
    for (int layer = 0; layer < model_.config.layers; ++layer) {
      if (!to_measure(layer)) {
        runner_.advance(unchanged_, hidden, layer, {}, progress);
        continue;
      }
      LayerScores scores;
      if (!fitted_kinds_.empty()) next_hidden_ = fit_map(layer, hidden, scores, progress);
      for (const MixerSpec& choice : options_.choices)
        if (keeps_less(model_.config, layer, choice)) scores.choices[choice] = measure(layer, choice, hidden, progress);
      if (fitted_kinds_.empty()) next_hidden_ = look_and_advance(layer, hidden, scores, nullptr, progress);
      std::copy(next_hidden_.begin(), next_hidden_.end(), hidden);
      analysis_.layers[layer] = std::move(scores);
      save();
    }
  }

  void record_unchanged() {
    Progress progress("unchanged model", runner_.measuring_work(0), "tokens");
    base_ = runner_.record(unchanged_, progress);
    if (asked("nll") || asked("kl")) analysis_.base["nll"] = without_differences(measured(base_.nll));
    if (asked("retrieval")) analysis_.base["retrieval"] = without_differences(measured(base_.retrieval));
    if (asked("task")) {
      base_tasks_ = task_accuracies(unchanged_);
      analysis_.base["task"] = without_differences(measured(base_tasks_));
    }
  }

  void estimate() {
    std::vector<MixerSpec> choices;
    for (const MixerSpec& choice : options_.choices)
      if (!is_measured(choice)) choices.push_back(choice);
    if (choices.empty()) return;
    estimates_ = estimate_losses(model_, mixers_, runner_.calibration(),
                                 {.choices = std::move(choices), .seed = options_.seed, .nll = asked("nll")});
  }

  /// Of choices with which some layers would keep no less than with windows of the model's own.
  void say_what_is_left_out() const {
    for (const MixerSpec& choice : options_.choices) {
      int layers = 0;
      for (int layer = 0; layer < model_.config.layers; ++layer) layers += keeps_less(model_.config, layer, choice);
      if (layers < model_.config.layers)
        note("{}: for {} of {} layers; the others' own windows keep no more", to_string(choice), layers,
             model_.config.layers);
    }
  }

  /// Which layers are missing, as the first rank's file says.
  void share_out() {
    Json missing = Json::array();
    for (int layer = 0; layer < model_.config.layers; ++layer)
      if (!analysis_.layers.contains(layer)) missing.push_back(layer);
    if (options_.ranks != nullptr) missing = parse_json(options_.ranks->broadcast(missing.dump()), "the first process");
    missing_ = missing.get<std::vector<int>>();
  }

  /// Whether this rank measures the layer: the missing ones are dealt out one by one.
  [[nodiscard]] bool to_measure(int layer) const {
    if (analysis_.layers.contains(layer)) return false;
    const auto it = std::find(missing_.begin(), missing_.end(), layer);
    if (it == missing_.end()) return false;
    return options_.ranks == nullptr || (it - missing_.begin()) % options_.ranks->size() == options_.ranks->rank();
  }

  /// Puts together on the first rank what all have measured.
  void gather() {
    if (options_.ranks == nullptr || options_.ranks->size() == 1) return;
    if (!fs::exists(path_)) save();  // a rank without layers
    const std::vector<std::string> files = options_.ranks->gather(read_file(path_));
    const std::vector<std::string> maps = options_.ranks->gather(maps_.empty() ? "" : read_file(maps_path()));
    const fs::path others = fs::path(path_).replace_extension(".gathered");
    for (std::size_t rank = 1; rank < files.size(); ++rank) {
      write_file(others, files[rank]);
      analysis_.layers.merge(read_analysis(others).layers);
      if (maps[rank].empty()) continue;
      write_file(others, maps[rank]);
      maps_.merge(read_parameters(others, model_.config));
    }
    if (options_.ranks->first()) save();
    // What a rank kept for itself isn't needed any more.
    if (!options_.ranks->first()) fs::remove(maps_path());
    fs::remove(options_.ranks->first() ? others : path_);
  }

  [[nodiscard]] bool asked(std::string_view measure) const {
    return std::find(options_.measures.begin(), options_.measures.end(), measure) != options_.measures.end();
  }
  [[nodiscard]] fs::path maps_path() const { return maps_beside(path_); }

  static Measured of_answers(std::vector<double> losses) {
    Measured result = measured(std::move(losses));
    result.mean = retrieval_loss(result.differences);
    return result;
  }

  static Measured without_differences(Measured value) {
    value.differences.clear();
    return value;
  }

  /// Whether a change is measured rather than estimated.
  [[nodiscard]] bool is_measured(const MixerSpec& choice) const {
    return !options_.by_gradients || !is_restriction(model_.config, choice);
  }

  [[nodiscard]] std::int64_t work_ahead() const {
    std::int64_t total = runner_.work(model_.config.layers);
    for (int layer = 0; layer < model_.config.layers; ++layer)
      for (const MixerSpec& choice : options_.choices)
        if (to_measure(layer) && is_measured(choice) && keeps_less(model_.config, layer, choice))
          total += runner_.measuring_work(layer);
    return total;
  }

  /// Starts a file, or goes on with one.
  void begin(const Calibration& calibration) {
    analysis_.run = run_();
    analysis_.model = {model_.hash, model_.path.string(), model_.config};
    analysis_.data.source = calibration.source;
    analysis_.data.hash = calibration.hash;
    analysis_.data.sequences = calibration.texts;
    analysis_.data.length = calibration.length;
    analysis_.data.tokens = std::int64_t{calibration.texts} * calibration.length;
    analysis_.data.retrieval_length = calibration.retrieval_length;
    analysis_.data.retrieval_items = calibration.retrieval_items;
    for (const Task& task : options_.tasks) analysis_.data.tasks.push_back(task.name);
    analysis_.data.estimated = options_.by_gradients;
    analysis_.choices = options_.choices;
    analysis_.measures = options_.measures;
    if (!fs::exists(path_)) return;

    Analysis found = read_analysis(path_);
    if (found.model.hash != model_.hash || found.data.hash != calibration.hash ||
        found.data.tasks != analysis_.data.tasks || found.data.estimated != options_.by_gradients ||
        found.choices != options_.choices || found.measures != options_.measures)
      fail(
          "{} holds another analysis (another model, text, or other `to`, `by`, `window`, `sinks`, `heads`, "
          "`by-gradients`): give another `output`, "
          "or remove it",
          path_.string());
    if (found.maps) {
      maps_ = read_parameters(maps_path(), model_.config);
      for (const auto& [key, map] : maps_) mixers_.set_parameters(key.first, key.second, map);
    }
    seconds_before_ = get_or<double>(found.run, "seconds", 0, path_.string() + ": run");
    analysis_ = std::move(found);
  }

  void save() {
    if (!maps_.empty()) {
      write_parameters(maps_path(), model_.config, maps_);
      analysis_.maps = MapsFile{maps_path().filename().string(), file_hash(maps_path())};
    }
    analysis_.run = run_();
    analysis_.run["seconds"] = get_or<double>(analysis_.run, "seconds", 0, "run") + seconds_before_;
    if (analysis_.complete()) analysis_.rank_correlation = rank_correlations(analysis_);
    write_analysis(path_, analysis_);
  }

  Scores measure(int layer, const MixerSpec& choice, const float* hidden, Progress& progress) {
    std::vector<MixerSpec> specs = native_;
    specs[static_cast<std::size_t>(layer)] = choice;
    const MixerList& changed = mixers_.list(specs);
    Scores scores;
    if (asked("task")) scores["task"] = measured(minus(base_tasks_, task_accuracies(changed)));
    if (!is_measured(choice)) {
      scores.merge(estimated(layer, choice));
      return scores;
    }
    const CalibrationOutcome outcome = runner_.measure(changed, hidden, layer, progress);
    if (asked("kl")) scores["kl"] = measured(outcome.kl);
    if (asked("nll")) scores["nll"] = measured(minus(outcome.nll, base_.nll));
    if (asked("retrieval")) scores["retrieval"] = of_answers(retrieval_losses(base_, outcome));
    return scores;
  }

  [[nodiscard]] Scores estimated(int layer, const MixerSpec& choice) const {
    const EstimatedLoss& loss = estimates_[static_cast<std::size_t>(layer)].at(choice);
    Scores scores;
    if (asked("kl")) scores["kl"] = measured(loss.kl);
    if (asked("nll")) scores["nll"] = measured(loss.nll);
    if (asked("retrieval")) scores["retrieval"] = of_answers(loss.retrieval);
    return scores;
  }

  std::vector<double> task_accuracies(const MixerList& mixers) {
    Subject subject(model_, mixers);
    std::vector<double> accuracies;
    for (const Task& task : options_.tasks) accuracies.push_back(run_task(subject, task, -1).acc.mean);
    return accuracies;
  }

  /// Takes a copy of `hidden` through the unchanged layer; on the way collects cosine and entropy and, if asked, the
  /// regression.
  std::vector<float> look_and_advance(int layer, const float* hidden, LayerScores& scores, MapRegression* regression,
                                      Progress& progress) {
    const int D = model_.config.hidden;
    std::vector<float> next(hidden, hidden + runner_.rows() * static_cast<std::size_t>(D));
    std::vector<double> cosines;
    const auto look = [&](const CalibrationRunner::LayerView& view) {
      if (asked("cosine")) cosines.push_back(cosine_importance(view.before, view.after, view.rows, D));
      if (regression != nullptr) add_to(*regression, layer, view);
    };
    if (asked("entropy")) scores.entropy = entropy(layer, next.data());
    runner_.advance(unchanged_, next.data(), layer, look, progress);
    if (asked("cosine")) scores.cosine = without_differences(measured(cosines));
    return next;
  }

  std::vector<float> fit_map(int layer, const float* hidden, LayerScores& scores, Progress& progress) {
    MapRegression regression(model_.config.hidden);
    std::vector<float> next = look_and_advance(layer, hidden, scores, &regression, progress);
    const std::vector<float> map = regression.solve();
    for (const MixerKind kind : fitted_kinds_) {
      maps_[{layer, kind}] = map;
      mixers_.set_parameters(layer, kind, map);
    }
    return next;
  }

  void add_to(MapRegression& regression, int layer, const CalibrationRunner::LayerView& view) {
    const int D = model_.config.hidden;
    const LayerWeights& weights = model_.weights.layers[static_cast<std::size_t>(layer)];
    std::vector<float> norm = weights.mixer_norm;
    for (std::size_t i = 0; i < weights.mixer_smoothing.size(); ++i) norm[i] *= weights.mixer_smoothing[i];
    input_.reshape(view.rows, D, Precision::f32);
    take_rows(view.before, {}, norm, model_.config, input_, runner_.runner().workspace().scratch);
    const auto size = static_cast<std::size_t>(view.rows) * static_cast<std::size_t>(D);
    output_.resize(size);
    for (std::size_t i = 0; i < size; ++i) output_[i] = view.after[i] - view.before[i];
    regression.add(input_.f32(0), output_.data(), view.rows);
  }

  Measured entropy(int layer, float* hidden) {
    std::vector<double> values;
    for (const CalibrationSequence& sequence : runner_.calibration().sequences) {
      if (!sequence.retrieval) {
        const BatchItem item{nullptr, sequence.tokens};
        for (const double value : last_token_entropy(model_, layer, {&item, 1}, hidden, runner_.runner().workspace()))
          values.push_back(value);
      }
      hidden += sequence.tokens.size() * static_cast<std::size_t>(model_.config.hidden);
    }
    return without_differences(measured(values));
  }

  const Model& model_;
  MixerSet& mixers_;
  const SweepOptions& options_;
  const fs::path path_;
  const std::function<Json()>& run_;
  const std::vector<MixerSpec> native_;
  const MixerList& unchanged_;
  std::set<MixerKind> fitted_kinds_;  // among the choices
  CalibrationRunner runner_;
  Analysis analysis_;
  double seconds_before_ = 0;  // of the runs that this one goes on from
  std::vector<int> missing_;   // layers that no file had at the start
  CalibrationOutcome base_;
  EstimatedLosses estimates_;
  std::vector<double> base_tasks_;
  MixerParameters maps_;
  AlignedBuffer hidden_;
  std::vector<float> next_hidden_, output_;
  Activations input_;
};

}  // namespace

Analysis run_sweep(const Model& model, MixerSet& mixers, const Calibration& calibration, const SweepOptions& options,
                   const fs::path& path, const std::function<Json()>& run) {
  return Sweep(model, mixers, calibration, options, path, run).sweep();
}

}  // namespace layerboost
