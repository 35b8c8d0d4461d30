#include "app/plan_maker.h"

#include <algorithm>
#include <regex>
#include <utility>

#include "analyze/joint_loss.h"
#include "artifact/model_files.h"
#include "artifact/opened_model.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/log.h"
#include "mixer/descriptor.h"
#include "mixer/mixers.h"
#include "plan/cost_calibration.h"
#include "plan/joint_search.h"
#include "plan/measured_plans.h"

namespace layerboost {
namespace {

SpeedTarget read_speed(const std::string& text) {
  static const std::regex form(R"(([0-9]{0,9}\.?[0-9]{1,9})@([0-9]{1,6})x([0-9]{1,8}))");
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) fail("`speedup` {}: expected X@BATCHxCONTEXT, such as 1.5@64x1024", text);
  return {std::stod(parts[1]), std::stoi(parts[2]), std::stoi(parts[3])};
}

/// One plan being made.
class PlanMaker {
 public:
  /// `model`: nullptr where it isn't loaded yet.
  PlanMaker(Analysis analysis, const fs::path& analysis_path, const PlanOptions& options, Precision precision,
            const RunInfo& run, std::shared_ptr<Model> model)
      : path_(analysis_path),
        options_(options),
        precision_(precision),
        run_(run),
        model_(std::move(model)),
        analysis_(std::move(analysis)),
        rule_(loss_rule()),
        planner_(analysis_, rule_, options.context) {
    budget_ = {options.softmax, options.none, options.kv, {}, {options.keep.begin(), options.keep.end()}};
    if (!options.speedup.empty()) budget_.speed = speed_ = read_speed(options.speedup);
    check_options();
  }

  /// Chooses with the losses that are there, and throws what the choice throws.
  void check(const CostModel* cost) {
    if (cost != nullptr) cost_ = *cost;
    if (by_score() || !options_.middle.empty()) (void)middle();
    if (budget_.speed && !cost_) budget_.speed.reset();
    if (by_score() || limited() || !budget_.keep.empty()) (void)choose();
  }

  MadePlan make(const fs::path& output) {
    if (budget_.speed) cost_ = find_cost();
    const std::vector<MixerSpec> specs = options_.search == "joint" ? search() : choose();
    if (!cost_) cost_ = find_cost();
    MadePlan made;
    made.plan = assemble(specs);
    save_maps(made.plan, output);
    write_plan(output, made.plan);
    if (std::optional<Json> drawn = curve(specs)) made.curve = std::move(*drawn);
    return made;
  }

  std::optional<Json> curve(const std::vector<MixerSpec>& chosen) {
    for (int layer = 0; layer < planner_.config().layers; ++layer)
      if (!planner_.has(layer, chosen[static_cast<std::size_t>(layer)])) return {};
    if (!cost_) cost_ = find_cost();
    const Budget counts = by_score() ? Budget{} : budget_;
    return frontier_json(frontier(planner_, counts, cost(), speed_), planner_, chosen, point_command(), cost(), speed_);
  }

 private:
  [[nodiscard]] bool by_score() const { return options_.by_removal || !options_.thresholds.empty(); }
  [[nodiscard]] bool measured(std::string_view measure) const {
    return std::find(analysis_.measures.begin(), analysis_.measures.end(), measure) != analysis_.measures.end();
  }
  [[nodiscard]] const CostModel* cost() const { return cost_ ? &*cost_ : nullptr; }

  /// What predicted losses are by. A plan chosen by a score that only ranks layers has its loss predicted by another.
  [[nodiscard]] LossRule loss_rule() const {
    LossRule rule;
    rule.measure = options_.by;
    if (by_score() && (options_.by == "cosine" || options_.by == "entropy"))
      rule.measure = measured("kl") ? "kl" : measured("nll") ? "nll" : "task";
    const bool in_nats = rule.measure == "kl" || rule.measure == "nll";
    rule.retrieval_weight =
        options_.retrieval_weight.value_or(in_nats && measured("retrieval") ? rule.retrieval_weight : 0);
    return rule;
  }

  void check_options() const {
    if (options_.by_removal && !options_.thresholds.empty())
      fail("`by-removal` and `thresholds`: give only one of them");
    if (options_.by_removal && (!options_.softmax || !options_.none))
      fail("`by-removal` needs `softmax` N and `none` N");
    if (!options_.thresholds.empty() && (options_.softmax || options_.none))
      fail("`thresholds` decides the counts itself: leave `softmax` and `none` out");
    if (by_score() && (options_.kv || budget_.speed || options_.search == "joint"))
      fail("`by-removal` and `thresholds` take no other budget and no `search` joint");
    if (options_.search == "joint" && rule_.measure != "kl" && rule_.measure != "nll")
      fail("`search` joint measures kl or nll, not {}", rule_.measure);
  }

  // ---- the model and its speed

  const OpenedModel& opened() {
    if (opened_.model) return opened_;
    const std::string where = options_.model.empty() ? analysis_.model.path : options_.model;
    if (where.empty()) fail("{} doesn't say where its model is: give `model` MODEL", path_.string());
    opened_ = model_ != nullptr ? as_trained(model_) : open_original_model(find_model_files(where), precision_, "plan");
    if (opened_.model->hash != analysis_.model.hash)
      fail("{} is of {} ({}), but {} is {} ({}): give `model` MODEL", path_.string(), analysis_.model.config.name,
           analysis_.model.hash, where, opened_.model->config.name, opened_.model->hash);
    if (analysis_.maps)
      for (auto& [key, map] : analysis_maps()) opened_.mixers->set_parameters(key.first, key.second, std::move(map));
    return opened_;
  }

  std::optional<CostModel> find_cost() {
    const CostKey key = cost_key(analysis_.model.hash, precision_);
    if (auto known = read_cost(key)) return known;
    const std::string where = options_.model.empty() ? analysis_.model.path : options_.model;
    if (!budget_.speed && options_.model.empty() && (where.empty() || !fs::exists(where))) {
      warn("no speed predicted: the model of {} isn't at \"{}\"; give `model` MODEL", path_.string(), where);
      return {};
    }
    const CostModel found = measure_cost(*opened().model);
    write_cost(key, found);
    return found;
  }

  // ---- the choice

  [[nodiscard]] MixerSpec middle() const {
    if (!options_.middle.empty()) return parse_mixer(options_.middle);
    for (const MixerSpec& choice : analysis_.choices)
      if (has_window(choice.kind)) return choice;
    fail("{} has no window among its choices: give `middle`", path_.string());
  }

  [[nodiscard]] bool limited() const { return budget_.softmax || budget_.none || budget_.kv || budget_.speed; }

  [[nodiscard]] std::vector<MixerSpec> choose() const {
    if (!options_.thresholds.empty())
      return plan_by_thresholds(analysis_, options_.by, options_.thresholds[0], options_.thresholds[1], middle(),
                                budget_.keep);
    if (options_.by_removal)
      return plan_by_removal(analysis_, options_.by, *budget_.softmax, *budget_.none, middle(), budget_.keep);
    if (!limited()) return knee(planner_, planner_.curve(budget_)).specs;
    return planner_.best(budget_, cost()).specs;
  }

  /// Runs the joint search. Without a budget it may use the memory of the knee.
  std::vector<MixerSpec> search() {
    Budget budget = budget_;
    if (!limited()) budget.kv = planner_.kv_fraction(choose()) + 1e-9;
    const auto starts = joint_search_starts(analysis_, rule_, options_.context, budget, cost());
    const Model& model = *opened().model;
    const Calibration calibration = same_calibration(model);
    std::optional<JointLoss> joint;
    const auto measure = [&](const std::vector<MixerSpec>& specs) {
      if (!joint) joint.emplace(model, *opened_.mixers, calibration);
      const JointOutcome outcome = joint->measure(specs);
      return JointLossValue{rule_.measure == "kl" ? outcome.kl : outcome.nll, outcome.retrieval};
    };
    const std::string key = fmt::format("{} {} {} {} {}", model.hash, calibration.hash, run_.precision, rule_.measure,
                                        analysis_.maps ? analysis_.maps->hash : "no maps");
    MeasuredPlans plans(cache_dir() / "joint" / (sha256(key).substr(0, 16) + ".json"), key, measure);
    int count = 0;
    const MeasurePlan reporting = [&](const std::vector<MixerSpec>& specs) {
      const JointLossValue value = plans(specs);
      note("plan {} of at most {}: loss {:.4f} ({} {:.4f}, retrieval {:.3f})", ++count, options_.measurements,
           value.total(rule_.retrieval_weight), rule_.measure, value.text, value.retrieval);
      return value;
    };
    JointSearchOptions search_options;
    search_options.measurements = options_.measurements;
    const JointSearchResult found = joint_search(planner_, budget, cost(), starts, reporting, search_options);
    measured_loss_ = found.measured.total(rule_.retrieval_weight);
    return found.specs;
  }

  /// The calibration that the analysis was made with.
  [[nodiscard]] Calibration same_calibration(const Model& model) const {
    const AnalysisData& data = analysis_.data;
    if (data.source != "self" && options_.text.empty())
      fail("{} was made with the text {}: give the same `text` for `search` joint", path_.string(), data.source);
    const auto seed = get_or<std::uint64_t>(analysis_.run, "seed", run_.seed, path_.string() + ": run");
    Calibration calibration = make_calibration(
        model, {options_.text, static_cast<int>(data.tokens), data.length, data.retrieval_items, seed});
    if (calibration.hash != data.hash)
      fail("{} was made with other text ({}, {}): give the same `text` for `search` joint", path_.string(), data.source,
           data.hash);
    return calibration;
  }

  // ---- the plan

  [[nodiscard]] Plan assemble(const std::vector<MixerSpec>& specs) const {
    Plan plan;
    plan.model_name = analysis_.model.config.name;
    plan.model_hash = analysis_.model.hash;
    plan.made_from = MadeFrom{file_hash(path_), options_.by,     by_score() ? 0 : rule_.retrieval_weight,
                              budget_text(),    options_.search, get<std::string>(run_.to_json(), "command", "run")};
    for (const auto& [layer, scores] : analysis_.layers) {
      PlanLayer& planned = plan.layers.emplace_back(PlanLayer{specs[static_cast<std::size_t>(layer)], {}});
      for (const auto& [choice, losses] : scores.choices)
        for (const auto& [measure, loss] : losses)
          if (measure == rule_.measure || (measure == "retrieval" && rule_.retrieval_weight > 0))
            planned.scores[choice][measure] = loss.mean;
    }
    Predicted predicted;
    predicted.loss = planner_.loss(specs);
    predicted.loss_by = rule_.text();
    predicted.measured_loss = measured_loss_;
    predicted.context = options_.context;
    predicted.kv_bytes = planner_.kv_bytes(specs);
    predicted.kv_bytes_per_token = static_cast<double>(predicted.kv_bytes) / options_.context;
    predicted.kv_fraction = planner_.kv_fraction(specs);
    if (cost_) {
      predicted.speedup = cost_->step_seconds(native_specs(planner_.config()), speed_.batch, speed_.context) /
                          cost_->step_seconds(specs, speed_.batch, speed_.context);
      predicted.speedup_batch = speed_.batch;
      predicted.speedup_context = speed_.context;
    }
    plan.predicted = predicted;
    return plan;
  }

  [[nodiscard]] std::string budget_text() const {
    if (!options_.thresholds.empty())
      return fmt::format("thresholds {:g},{:g} of removal", options_.thresholds[0], options_.thresholds[1]);
    const std::string limits = budget_.text(options_.context);
    if (options_.by_removal) return limits + ", by removal";
    return limited() ? limits : limits.empty() ? "knee" : "knee, " + limits;
  }

  [[nodiscard]] MixerParameters analysis_maps() const {
    return read_parameters(path_.parent_path() / analysis_.maps->file, analysis_.model.config);
  }

  void save_maps(Plan& plan, const fs::path& output) const {
    MixerParameters used;
    for (std::size_t l = 0; l < plan.layers.size(); ++l) {
      const MixerKind kind = plan.layers[l].mixer.kind;
      if (descriptor_of(kind).fitted_map) used[{static_cast<int>(l), kind}] = {};
    }
    if (used.empty()) return;
    if (!analysis_.maps) fail("{} scores maps, but names no file with their parameters (\"maps\")", path_.string());
    MixerParameters all = analysis_maps();
    for (auto& [key, map] : used) {
      if (!all.contains(key)) fail("{}: no map of layer {} in {}", path_.string(), key.first, analysis_.maps->file);
      map = std::move(all[key]);
    }
    const fs::path file = maps_beside(output);
    write_parameters(file, planner_.config(), used);
    plan.maps = MapsFile{file.filename().string(), file_hash(file)};
  }

  /// How to ask for the plan of a point of the curve; empty where nobody says it.
  [[nodiscard]] PointCommand point_command() const {
    if (!options_.command) return {};
    PlanOptions options;
    options.by = rule_.measure;
    options.retrieval_weight = options_.retrieval_weight;
    options.context = options_.context;
    if (!by_score()) {
      options.softmax = budget_.softmax;
      options.none = budget_.none;
      options.keep.assign(budget_.keep.begin(), budget_.keep.end());
    }
    return [this, options](double kv) {
      PlanOptions at_point = options;
      at_point.kv = kv;
      return options_.command(path_.filename().string(), at_point);
    };
  }

  const fs::path path_;
  const PlanOptions& options_;
  const Precision precision_;
  const RunInfo& run_;
  const std::shared_ptr<Model> model_;
  const Analysis analysis_;
  const LossRule rule_;
  const Planner planner_;
  Budget budget_;
  SpeedTarget speed_;
  std::optional<CostModel> cost_;
  std::optional<double> measured_loss_;
  OpenedModel opened_;
};

}  // namespace

MadePlan make_plan(const fs::path& analysis_path, const PlanOptions& options, const fs::path& output,
                   Precision precision, const RunInfo& run, std::shared_ptr<Model> model) {
  return PlanMaker(read_analysis(analysis_path), analysis_path, options, precision, run, std::move(model)).make(output);
}

std::optional<Json> make_curve(const fs::path& analysis_path, const PlanOptions& options,
                               const std::vector<MixerSpec>& specs, Precision precision, const RunInfo& run,
                               std::shared_ptr<Model> model) {
  return PlanMaker(read_analysis(analysis_path), analysis_path, options, precision, run, std::move(model)).curve(specs);
}

std::optional<SpeedTarget> speed_target(const PlanOptions& options) {
  if (options.speedup.empty()) return {};
  return read_speed(options.speedup);
}

void check_plan_options(const PlanOptions& options, const Config& config, const std::vector<MixerSpec>& choices,
                        const std::vector<std::string>& measures, const CostModel* cost) {
  Analysis blank;
  blank.model.config = config;
  blank.choices = choices;
  blank.measures = measures;
  for (int layer = 0; layer < config.layers; ++layer)
    for (const MixerSpec& choice : choices)
      for (const std::string& measure : measures) blank.layers[layer].choices[choice][measure] = {};
  PlanMaker(std::move(blank), "the analysis", options, Precision::bf16, RunInfo(), nullptr).check(cost);
}

}  // namespace layerboost
