// The planner: chooses a mixer for each layer, so that the predicted loss is the least under a budget. An analysis
// (artifact/analysis_file.h) has what the model loses by each change of one layer alone; a LossRule makes one number of
// its measures, and a plan's predicted loss is the sum over its layers. A Budget limits memory or the time of a step,
// and counts of layers; the choice is a multiple-choice knapsack, solved exactly (plan/knapsack.h). best() gives one
// plan, curve() all that no other beats. The functions at the end choose as the paper does, by one score. A planner is
// made from a finished analysis, doesn't change, and runs no model: what plans lose as a whole is measured elsewhere
// (plan/joint_search.h).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "artifact/analysis_file.h"
#include "plan/cost_model.h"
#include "plan/knapsack.h"

namespace layerboost {

/// What a plan's loss is.
struct LossRule {
  std::string measure = "kl";
  /// Loss = measure + weight * what answers to questions about facts far back lose (no less than 0). Text hardly shows
  /// what windows lose of the far past, so it has its share: 1 weighs a nat lost on a digit far back like a nat of
  /// text.
  double retrieval_weight = 1;

  /// "kl + 1 retrieval": for people.
  [[nodiscard]] std::string text() const;
};

/// A speed-up of `factor` for decode steps of `batch` sequences of `context` positions each.
struct SpeedTarget {
  double factor = 1;
  int batch = 64;
  int context = 1024;
};

/// What the plan must keep to. At most one of kv and speed.
struct Budget {
  std::optional<int> softmax = {};  // exactly so many layers keep full attention, as windows of the model's own aren't
  std::optional<int> none = {};     // exactly so many lose theirs
  std::optional<double> kv = {};    // share of the unchanged model's cache at `context`
  std::optional<SpeedTarget> speed = {};
  std::set<int> keep = {};  // layers that keep the model's own mixer

  /// "kv 0.3 at 2048, softmax 10": for people.
  [[nodiscard]] std::string text(int context) const;
};

/// One point of what can be had.
struct PlanChoice {
  std::vector<MixerSpec> specs;  // [L]
  double loss = 0;               // sum of the layers' predicted losses
};

/// The losses of one model's layers, ready for choosing. The model's own mixer (softmax, or its own window) loses
/// nothing.
class Planner {
 public:
  /// Throws Error when the analysis isn't complete or lacks the measure. `context`: where memory is counted.
  Planner(const Analysis& analysis, LossRule rule, int context);

  /// The layer's options: the model's own mixer first, then the analysis' choices that keep less, then, of windows that
  /// were tried in each KV head alone, those that keep some heads whole: of each number, the heads that lose most by
  /// the measure, and by retrieval. The same for every rule with this measure.
  [[nodiscard]] const std::vector<MixerSpec>& options(int layer) const;
  /// Whether it is one of the layer's options.
  [[nodiscard]] bool has(int layer, const MixerSpec& spec) const;
  /// Predicted loss of changing one layer so; 0 for the model's own mixer. Throws Error unless `spec` is one of its
  /// options.
  [[nodiscard]] double loss(int layer, const MixerSpec& spec) const;
  /// Sum over layers; throws as the above.
  [[nodiscard]] double loss(const std::vector<MixerSpec>& specs) const;

  /// Bytes of cache of one sequence at the context, numbers of 2 bytes.
  [[nodiscard]] std::int64_t kv_bytes(const std::vector<MixerSpec>& specs) const;
  /// The same as a fraction of the unchanged model's.
  [[nodiscard]] double kv_fraction(const std::vector<MixerSpec>& specs) const;

  /// Costs and limits of a budget as a knapsack, items in the order of options(). Costs are bytes of cache, or
  /// nanoseconds under a speed target. Throws Error for a budget that can't be met whatever the losses, saying what
  /// can. Requires: `cost` isn't nullptr under a speed target.
  [[nodiscard]] KnapsackProblem problem(const Budget& budget, const CostModel* cost = nullptr) const;
  [[nodiscard]] std::vector<MixerSpec> specs_of(const KnapsackChoice& choice) const;

  /// The plan of least predicted loss within the budget. Throws and requires as problem().
  [[nodiscard]] PlanChoice best(const Budget& budget, const CostModel* cost = nullptr) const;

  /// Every plan that no other beats in both memory and predicted loss, cheapest first, within the budget's counts and
  /// kept layers.
  [[nodiscard]] std::vector<PlanChoice> curve(const Budget& budget) const;

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const LossRule& rule() const { return rule_; }
  [[nodiscard]] int context() const { return context_; }

 private:
  /// Windows in more than one KV head but not in all.
  void add_head_options(const Analysis& analysis, int layer);

  Config config_;
  LossRule rule_;
  int context_;
  std::vector<std::vector<MixerSpec>> options_;  // [L]
  std::vector<std::vector<double>> losses_;      // [L], beside options_
};

/// The paper's way: one score, that of removal, decides both. `measure`: any of the analysis, cosine and entropy
/// included. Layers above `high` keep their mixer, those at or below `low` lose it, the others get `middle` where they
/// keep less with it. Layers in `keep` keep theirs. Throws Error when a score is missing.
std::vector<MixerSpec> plan_by_thresholds(const Analysis& analysis, const std::string& measure, double high, double low,
                                          const MixerSpec& middle, const std::set<int>& keep = {});

/// Chooses as plan_by_thresholds() does, with the thresholds where the `softmax` highest layers with full attention
/// (those of `keep` first) keep it and the `none` lowest of the others lose their mixer.
std::vector<MixerSpec> plan_by_removal(const Analysis& analysis, const std::string& measure, int softmax, int none,
                                       const MixerSpec& middle, const std::set<int>& keep = {});

}  // namespace layerboost
