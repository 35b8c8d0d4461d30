#include "plan/planner.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

constexpr std::size_t element = 2;  // bytes of a number in the cache
constexpr int group_kept = 0, group_none = 1, not_counted = -1;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

double find_loss(const Scores& scores, const std::string& measure, int layer, const MixerSpec& choice) {
  const auto it = scores.find(measure);
  if (it == scores.end())
    fail("the analysis has no score \"{}\" for {} in layer {}; run layerboost analyze with `by` {}", measure,
         to_string(choice), layer, measure);
  return it->second.mean;
}

double loss_of(const Scores& scores, const LossRule& rule, int layer, const MixerSpec& choice) {
  double loss = find_loss(scores, rule.measure, layer, choice);
  if (rule.retrieval_weight > 0 && rule.measure != "retrieval")
    loss += rule.retrieval_weight * std::max(0.0, find_loss(scores, "retrieval", layer, choice));
  return loss;
}

/// What a layer loses that has a window in some KV heads and keeps the others whole: of the loss with the window in all
/// of them, the share that these heads have of what the heads lose one by one.
class HeadLosses {
 public:
  /// losses: by choice; `window`: in all heads.
  HeadLosses(const std::map<MixerSpec, double>& losses, const MixerSpec& window, int kv_heads) : kv_heads_(kv_heads) {
    for (int head = 0; head < kv_heads && complete_; ++head) {
      MixerSpec one = window;
      one.full = all_heads(kv_heads) & ~set_of_head(head);
      const auto it = losses.find(one);
      complete_ = it != losses.end();
      if (complete_) alone_.push_back(std::max(0.0, it->second));
    }
    const double sum = std::accumulate(alone_.begin(), alone_.end(), 0.0);
    const auto all = losses.find(window);
    factor_ = all == losses.end() || sum <= 0 ? 1 : std::max(0.0, all->second) / sum;
  }

  /// Whether every head has been measured.
  [[nodiscard]] bool complete() const { return complete_; }

  /// The `count` heads that lose most, and what the others lose.
  [[nodiscard]] std::pair<HeadSet, double> keeping(int count) const {
    std::vector<int> order(alone_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return alone_[index(a)] > alone_[index(b)]; });
    std::pair<HeadSet, double> kept = {0, 0};
    for (int rank = 0; rank < kv_heads_; ++rank) {
      if (rank < count)
        kept.first |= set_of_head(order[index(rank)]);
      else
        kept.second += factor_ * alone_[index(order[index(rank)])];
    }
    return kept;
  }

 private:
  int kv_heads_;
  bool complete_ = true;
  std::vector<double> alone_;  // [G]: the window in this head only
  double factor_ = 1;
};

void check_measure(const std::string& measure) {
  if (measure == "cosine" || measure == "entropy")
    fail("\"{}\" only ranks layers and is no loss; use it with `thresholds` or `by-removal`", measure);
  const auto& known = analysis_measures();
  if (std::find(known.begin(), known.end(), measure) == known.end())
    fail("unknown measure \"{}\"; allowed: kl, nll, task, retrieval", measure);
}

void check_complete(const Analysis& analysis) {
  if (analysis.choices.empty()) fail("the analysis has no choices; run layerboost analyze with `to`");
  if (analysis.complete()) return;
  fail("the analysis isn't finished: {} of {} layers are there; run layerboost analyze again to go on",
       analysis.layers.size(), analysis.model.config.layers);
}

void check_layers(const std::set<int>& keep, int layers) {
  for (const int layer : keep)
    if (layer < 0 || layer >= layers) fail("`keep` {}: there is no such layer; layers are 0 to {}", layer, layers - 1);
}

void check_counts(const Budget& budget, int layers) {
  const int softmax = budget.softmax.value_or(0), none = budget.none.value_or(0);
  if (softmax < 0 || none < 0 || softmax + none > layers)
    fail("`softmax` {} `none` {}: together they must be from 0 to the model's {} layers", softmax, none, layers);
  const int kept = static_cast<int>(budget.keep.size());
  if (budget.softmax && softmax < kept) fail("`softmax` {}: `keep` names {} layers already", softmax, kept);
  if (none > layers - kept) fail("`none` {}: at most {} layers are left by `keep`", none, layers - kept);
}

/// Why nothing fits: what is possible, from the cheapest choice without the limit.
[[noreturn]] void fail_impossible(const Planner& planner, const Budget& budget, const CostModel* cost) {
  Budget counts = budget;
  counts.kv.reset();
  counts.speed.reset();
  if (!budget.kv && !budget.speed)
    fail("the budget {} can't be met with the analysis' choices: too few layers can change",
         budget.text(planner.context()));
  KnapsackProblem problem = planner.problem(budget, cost);
  problem.budget.reset();
  const auto choices = solve_knapsack(problem);
  if (choices.empty()) fail_impossible(planner, counts, nullptr);
  const auto specs = planner.specs_of(choices.front());
  if (budget.kv)
    fail("`kv` {:g}: impossible here; the least is {:.4f} of the cache at {} positions", *budget.kv,
         std::ceil(planner.kv_fraction(specs) * 1e4) / 1e4, planner.context());
  const SpeedTarget& speed = *budget.speed;
  const double fastest = cost->step_seconds(native_specs(planner.config()), speed.batch, speed.context) /
                         cost->step_seconds(specs, speed.batch, speed.context);
  fail("`speedup` {:g}@{}x{}: impossible here; the most is {:.2f}", speed.factor, speed.batch, speed.context,
       std::floor(fastest * 100) / 100);
}

std::vector<double> removal_scores(const Analysis& analysis, const std::string& measure) {
  check_complete(analysis);
  std::vector<double> scores;
  for (const auto& [layer, found] : analysis.layers) {
    if (measure == "cosine" || measure == "entropy") {
      const auto& estimate = measure == "cosine" ? found.cosine : found.entropy;
      if (!estimate) fail("the analysis has no \"{}\"; run layerboost analyze with `by` {}", measure, measure);
      scores.push_back(estimate->mean);
      continue;
    }
    check_measure(measure);
    const auto removed = found.choices.find(no_mixer);
    if (removed == found.choices.end())
      fail("the analysis has no removal scores; run layerboost analyze with `to` none");
    scores.push_back(find_loss(removed->second, measure, layer, no_mixer));
  }
  return scores;
}

}  // namespace

std::string LossRule::text() const {
  return retrieval_weight > 0 && measure != "retrieval" ? fmt::format("{} + {:g} retrieval", measure, retrieval_weight)
                                                        : measure;
}

std::string Budget::text(int context) const {
  std::vector<std::string> parts;
  if (softmax) parts.push_back(fmt::format("softmax {}", *softmax));
  if (none) parts.push_back(fmt::format("none {}", *none));
  if (kv) parts.push_back(fmt::format("kv {:g} at {}", *kv, context));
  if (speed) parts.push_back(fmt::format("speedup {:g} at {}x{}", speed->factor, speed->batch, speed->context));
  if (!keep.empty()) parts.push_back(fmt::format("keep {}", fmt::join(keep, ",")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Planner::Planner(const Analysis& analysis, LossRule rule, int context)
    : config_(analysis.model.config), rule_(std::move(rule)), context_(context) {
  check_measure(rule_.measure);
  check_complete(analysis);
  if (rule_.retrieval_weight < 0) fail("`retrieval-weight` {:g}: must not be negative", rule_.retrieval_weight);
  if (context_ < 1) fail("`context` {}: must be at least 1", context_);
  const auto native = native_specs(config_);
  for (const auto& [layer, scores] : analysis.layers) {
    options_.push_back({native[index(layer)]});
    losses_.push_back({0});
    std::map<MixerSpec, double> losses;
    for (const MixerSpec& choice : analysis.choices) {
      losses[choice] = loss_of(scores.choices.at(choice), rule_, layer, choice);
      if (choice == options_.back().front()) continue;
      options_.back().push_back(choice);
      losses_.back().push_back(losses[choice]);
    }
    // Of every number of whole heads those that lose most: measured one by one, their losses are taken to add up.
    for (const MixerSpec& choice : analysis.choices) {
      if (choice.full != 0 || !has_full_heads(choice.kind)) continue;
      const HeadLosses heads(losses, choice, config_.kv_heads);
      for (int count = 1; heads.complete() && count < config_.kv_heads - 1; ++count) {
        MixerSpec some = choice;
        const auto [full, loss] = heads.keeping(count);
        some.full = full;
        options_.back().push_back(some);
        losses_.back().push_back(loss);
      }
    }
  }
}

const std::vector<MixerSpec>& Planner::options(int layer) const { return options_[index(layer)]; }

double Planner::loss(int layer, const MixerSpec& spec) const {
  const auto& options = options_[index(layer)];
  const auto it = std::find(options.begin(), options.end(), spec);
  if (it == options.end()) fail("the analysis has no score for {} in layer {}", to_string(spec), layer);
  return losses_[index(layer)][static_cast<std::size_t>(it - options.begin())];
}

double Planner::loss(const std::vector<MixerSpec>& specs) const {
  double sum = 0;
  for (int l = 0; l < config_.layers; ++l) sum += loss(l, specs[index(l)]);
  return sum;
}

std::int64_t Planner::kv_bytes(const std::vector<MixerSpec>& specs) const {
  std::int64_t sum = 0;
  for (const MixerSpec& spec : specs)
    sum += static_cast<std::int64_t>(layerboost::kv_bytes(config_, spec, context_, element));
  return sum;
}

double Planner::kv_fraction(const std::vector<MixerSpec>& specs) const {
  return static_cast<double>(kv_bytes(specs)) / static_cast<double>(kv_bytes(native_specs(config_)));
}

KnapsackProblem Planner::problem(const Budget& budget, const CostModel* cost) const {
  check_layers(budget.keep, config_.layers);
  check_counts(budget, config_.layers);
  if (budget.kv && budget.speed) fail("`kv` and `speedup`: give only one of them");
  if (budget.kv && (*budget.kv < 0 || *budget.kv > 1)) fail("`kv` {:g}: must be from 0 to 1", *budget.kv);
  if (budget.speed && (budget.speed->factor < 1 || budget.speed->batch < 1 || budget.speed->context < 1))
    fail("`speedup` {:g}@{}x{}: factor, batch and context must be at least 1", budget.speed->factor,
         budget.speed->batch, budget.speed->context);
  LB_CHECK(!budget.speed || cost != nullptr);
  const auto nanoseconds = [](double seconds) { return static_cast<std::int64_t>(std::llround(seconds * 1e9)); };
  const auto cost_of = [&](const MixerSpec& spec) {
    return budget.speed ? nanoseconds(cost->mixer_seconds(spec, budget.speed->batch, budget.speed->context))
                        : static_cast<std::int64_t>(layerboost::kv_bytes(config_, spec, context_, element));
  };

  KnapsackProblem problem;
  problem.count[group_kept] = budget.softmax;
  problem.count[group_none] = budget.none;
  std::int64_t unchanged = 0;
  for (int l = 0; l < config_.layers; ++l) {
    const auto& options = options_[index(l)];
    auto& items = problem.layers.emplace_back();
    unchanged += cost_of(options.front());
    for (std::size_t i = 0; i < (budget.keep.contains(l) ? 1 : options.size()); ++i) {
      const int group = i == 0 ? group_kept : options[i] == no_mixer ? group_none : not_counted;
      items.push_back({losses_[index(l)][i], cost_of(options[i]), group});
    }
  }
  if (budget.kv) problem.budget = static_cast<std::int64_t>(std::floor(*budget.kv * static_cast<double>(unchanged)));
  if (budget.speed) {
    const std::int64_t rest = nanoseconds(cost->rest.seconds(budget.speed->batch, 0));
    problem.budget = static_cast<std::int64_t>(static_cast<double>(unchanged + rest) / budget.speed->factor) - rest;
  }
  return problem;
}

std::vector<MixerSpec> Planner::specs_of(const KnapsackChoice& choice) const {
  std::vector<MixerSpec> specs;
  for (std::size_t l = 0; l < options_.size(); ++l) specs.push_back(options_[l][index(choice.items[l])]);
  return specs;
}

PlanChoice Planner::best(const Budget& budget, const CostModel* cost) const {
  const auto choices = solve_knapsack(problem(budget, cost));
  if (choices.empty()) fail_impossible(*this, budget, cost);
  return {specs_of(choices.back()), choices.back().loss};
}

std::vector<PlanChoice> Planner::curve(const Budget& budget) const {
  Budget counts = budget;
  counts.kv.reset();
  counts.speed.reset();
  std::vector<PlanChoice> curve;
  for (const KnapsackChoice& choice : solve_knapsack(problem(counts))) curve.push_back({specs_of(choice), choice.loss});
  if (curve.empty()) fail_impossible(*this, counts, nullptr);
  return curve;
}

std::vector<MixerSpec> plan_by_thresholds(const Analysis& analysis, const std::string& measure, double high, double low,
                                          const MixerSpec& middle, const std::set<int>& keep) {
  if (high < low) fail("`thresholds` {:g},{:g}: the first must not be below the second", high, low);
  const std::vector<double> scores = removal_scores(analysis, measure);
  check_layers(keep, analysis.model.config.layers);
  std::vector<MixerSpec> specs = native_specs(analysis.model.config);
  for (std::size_t l = 0; l < specs.size(); ++l) {
    if (scores[l] > high || keep.contains(static_cast<int>(l))) continue;
    specs[l] = scores[l] <= low ? no_mixer : middle;
  }
  return specs;
}

std::vector<MixerSpec> plan_by_removal(const Analysis& analysis, const std::string& measure, int softmax, int none,
                                       const MixerSpec& middle, const std::set<int>& keep) {
  const int layers = analysis.model.config.layers;
  check_layers(keep, layers);
  check_counts({.softmax = softmax, .none = none, .kv = {}, .speed = {}, .keep = keep}, layers);
  const std::vector<double> scores = removal_scores(analysis, measure);
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return keep.contains(a) != keep.contains(b) ? keep.contains(a) : scores[index(a)] > scores[index(b)];
  });
  std::vector<MixerSpec> specs = native_specs(analysis.model.config);
  for (int rank = softmax; rank < layers; ++rank)
    specs[index(order[index(rank)])] = rank >= layers - none ? no_mixer : middle;
  return specs;
}

}  // namespace layerboost
