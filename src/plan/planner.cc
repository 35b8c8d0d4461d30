#include "plan/planner.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

constexpr std::size_t element = 2;  // bytes of a number in the cache
constexpr int group_kept = 0, group_none = 1, not_counted = -1;

bool is_whole(const MixerSpec& native) { return sees_everything(native.kind); }

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

/// The window in one KV head, the others whole.
MixerSpec in_one_head(MixerSpec window, int head, int kv_heads) {
  window.full = all_heads(kv_heads) & ~set_of_head(head);
  return window;
}

/// What heads lose by a window in each of them alone, those that gain nothing: [G]; empty unless all were measured.
template <typename LossOf>
std::vector<double> losses_alone(const LayerScores& scores, const MixerSpec& window, int kv_heads, LossOf loss_of) {
  std::vector<double> losses;
  for (int head = 0; head < kv_heads; ++head) {
    const auto measured = scores.choices.find(in_one_head(window, head, kv_heads));
    if (measured == scores.choices.end()) return {};
    losses.push_back(std::max(0.0, loss_of(measured->second, measured->first)));
  }
  return losses;
}

/// What a window in the heads outside `full` loses: what these lose alone, times a factor that goes from 1 for one head
/// to what was measured of all of them together (`together`); and no less than any of them alone.
double loss_of_some(const std::vector<double>& alone, double together, HeadSet full) {
  const double sum = std::accumulate(alone.begin(), alone.end(), 0.0);
  double own = 0, most = 0;
  int count = 0;
  for (std::size_t head = 0; head < alone.size(); ++head) {
    if (has_head(full, static_cast<int>(head))) continue;
    own += alone[head];
    most = std::max(most, alone[head]);
    ++count;
  }
  const double whole = sum > 0 ? std::max(0.0, together) / sum : 1;
  return std::max(most, own * (1 + (whole - 1) * (count - 1) / static_cast<double>(alone.size() - 1)));
}

/// For every number of heads but one, none and all: those that lose most.
std::set<HeadSet> heads_that_lose_most(const std::vector<double>& alone) {
  std::vector<int> order(alone.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return alone[index(a)] > alone[index(b)]; });
  std::set<HeadSet> sets;
  HeadSet heads = 0;
  for (std::size_t count = 1; count + 1 < alone.size(); ++count) sets.insert(heads |= set_of_head(order[count - 1]));
  return sets;
}

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

/// Layers with a window of their own don't count as softmax.
void check_counts(const Budget& budget, const std::vector<MixerSpec>& native) {
  const int layers = static_cast<int>(native.size());
  const int softmax = budget.softmax.value_or(0), none = budget.none.value_or(0);
  if (softmax < 0 || none < 0 || softmax + none > layers)
    fail("`softmax` {} `none` {}: together they must be from 0 to the model's {} layers", softmax, none, layers);
  const auto whole = std::count_if(native.begin(), native.end(), is_whole);
  if (softmax > whole) fail("`softmax` {}: the model has {} layers without a window of their own", softmax, whole);
  const int kept = static_cast<int>(budget.keep.size());
  const auto kept_whole =
      std::count_if(budget.keep.begin(), budget.keep.end(), [&](int layer) { return is_whole(native[index(layer)]); });
  if (budget.softmax && softmax < kept_whole) fail("`softmax` {}: `keep` names {} layers already", softmax, kept_whole);
  const auto left = layers - kept - (budget.softmax ? softmax - kept_whole : 0);
  if (none > left) fail("`none` {}: at most {} layers are left by `keep`", none, left);
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
    for (const MixerSpec& choice : analysis.choices) {
      if (!keeps_less(config_, layer, choice)) continue;
      options_.back().push_back(choice);
      losses_.back().push_back(loss_of(scores.choices.at(choice), rule_, layer, choice));
    }
    if (is_whole(native[index(layer)])) add_head_options(analysis, layer);
  }
}

void Planner::add_head_options(const Analysis& analysis, int layer) {
  const LayerScores& scores = analysis.layers.at(layer);
  const auto by = [&](const LossRule& rule) {
    return [rule, layer](const Scores& measured, const MixerSpec& choice) {
      return loss_of(measured, rule, layer, choice);
    };
  };
  for (const MixerSpec& choice : analysis.choices) {
    if (choice.full != 0 || !has_full_heads(choice.kind)) continue;
    const std::vector<double> alone = losses_alone(scores, choice, config_.kv_heads, by(rule_));
    if (alone.empty()) continue;
    // The sets don't depend on the weight of retrieval, so that planners of other weights have the same options.
    std::set<HeadSet> sets;
    for (const std::string& measure : {rule_.measure, std::string("retrieval")})
      if (scores.choices.at(choice).contains(measure))
        sets.merge(heads_that_lose_most(losses_alone(scores, choice, config_.kv_heads, by({measure, 0}))));
    for (const HeadSet full : sets) {
      MixerSpec some = choice;
      some.full = full;
      options_[index(layer)].push_back(some);
      losses_[index(layer)].push_back(
          loss_of_some(alone, loss_of(scores.choices.at(choice), rule_, layer, choice), full));
    }
  }
}

const std::vector<MixerSpec>& Planner::options(int layer) const { return options_[index(layer)]; }

bool Planner::has(int layer, const MixerSpec& spec) const {
  const auto& options = options_[index(layer)];
  return std::find(options.begin(), options.end(), spec) != options.end();
}

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
  check_counts(budget, native_specs(config_));
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
      const bool kept = i == 0 && is_whole(options[i]);
      const int group = kept ? group_kept : removes_attention(options[i].kind) ? group_none : not_counted;
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
    const int layer = static_cast<int>(l);
    if (scores[l] > high || keep.contains(layer)) continue;
    const MixerSpec wanted = scores[l] <= low ? no_mixer : middle;
    if (keeps_less(analysis.model.config, layer, wanted)) specs[l] = wanted;
  }
  return specs;
}

std::vector<MixerSpec> plan_by_removal(const Analysis& analysis, const std::string& measure, int softmax, int none,
                                       const MixerSpec& middle, const std::set<int>& keep) {
  const Config& config = analysis.model.config;
  check_layers(keep, config.layers);
  std::vector<MixerSpec> specs = native_specs(config);
  check_counts({.softmax = softmax, .none = none, .kv = {}, .speed = {}, .keep = keep}, specs);
  const std::vector<double> scores = removal_scores(analysis, measure);
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return keep.contains(a) != keep.contains(b) ? keep.contains(a) : scores[index(a)] > scores[index(b)];
  });
  int whole = 0;                           // layers so far that keep full attention
  std::vector<std::pair<int, bool>> rest;  // the others; whether they have windows and stand above the last of these
  for (const int layer : order) {
    const bool sees_all = is_whole(specs[index(layer)]);
    if (!keep.contains(layer) && (!sees_all || whole == softmax))
      rest.emplace_back(layer, whole < softmax);
    else if (sees_all)
      ++whole;
  }
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const auto [layer, above] = rest[i];
    if (i + index(none) >= rest.size())
      specs[index(layer)] = no_mixer;
    else if (!above && keeps_less(config, layer, middle))
      specs[index(layer)] = middle;
  }
  return specs;
}

}  // namespace layerboost
