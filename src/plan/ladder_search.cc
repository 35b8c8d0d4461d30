#include "plan/ladder_search.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

std::size_t nth(int i) { return static_cast<std::size_t>(i); }

/// A layer, and the number in `to` of what it is changed to.
using Change = std::pair<int, int>;

class LadderSearch {
 public:
  LadderSearch(const std::vector<MixerSpec>& level_0, const LadderSearchOptions& options, const FirstLoss& first_loss,
               const LayerMemory& memory, const MeasurePlan& measure)
      : options_(options), memory_(memory), measure_(measure), specs_(level_0) {
    for (int layer = 0; layer < std::ssize(specs_); ++layer) {
      if (options.keep.contains(layer)) continue;
      for (int i = 0; i < std::ssize(options.to); ++i)
        if (may_follow(specs_[nth(layer)], options.to[nth(i)]))
          added_[{layer, i}] = first_loss(layer, options.to[nth(i)]);
    }
  }

  std::vector<LadderStep> run(const std::function<void(const LadderStep*)>& taken) {
    loss_ = measure_(specs_).total(options_.retrieval_weight);
    if (taken) taken(nullptr);
    std::vector<LadderStep> steps;
    for (int rung = 0; rung < options_.rungs; ++rung) {
      steps.push_back(next(options_.rungs - rung));
      if (taken) taken(&steps.back());
    }
    return steps;
  }

  /// Rungs that the layer can still have, going down the list without leaving anything out.
  [[nodiscard]] int rungs_left(int layer) const {
    if (options_.keep.contains(layer)) return 0;
    MixerSpec now = specs_[nth(layer)];
    int rungs = 0;
    for (const MixerSpec& mixer : options_.to) {
      if (!may_follow(now, mixer)) continue;
      now = mixer;
      ++rungs;
    }
    return rungs;
  }
  [[nodiscard]] int rungs_left() const {
    int rungs = 0;
    for (int layer = 0; layer < std::ssize(specs_); ++layer) rungs += rungs_left(layer);
    return rungs;
  }

 private:
  [[nodiscard]] const MixerSpec& mixer_of(const Change& change) const { return options_.to[nth(change.second)]; }

  /// How dear a change is: what it adds to the loss, for each byte that it frees. Where it adds nothing, the more it
  /// frees the better.
  [[nodiscard]] double price(const Change& change) const {
    const double added = added_.at(change);
    const double freed = std::max(1.0, memory_(specs_[nth(change.first)]) - memory_(mixer_of(change)));
    return added > 0 ? added / freed : added * freed;
  }

  /// Whether as many rungs as are wanted are left when it is taken.
  [[nodiscard]] bool leaves_enough(const Change& change, int wanted) {
    const int before = rungs_left(change.first);
    const MixerSpec own = std::exchange(specs_[nth(change.first)], mixer_of(change));
    const int lost = before - rungs_left(change.first);
    specs_[nth(change.first)] = own;
    return rungs_left() - lost >= wanted - 1;
  }

  /// The next rung, of `wanted` that are still to come.
  LadderStep next(int wanted) {
    std::map<Change, JointLossValue> measured;
    while (true) {
      std::optional<Change> best, best_measured;
      for (const auto& [change, added] : added_) {
        if (!leaves_enough(change, wanted)) continue;
        if (!best || price(change) < price(*best)) best = change;
        if (measured.contains(change) && (!best_measured || price(change) < price(*best_measured)))
          best_measured = change;
      }
      LB_CHECK(best);
      if (std::ssize(measured) >= options_.tries) return take(*best_measured, measured.at(*best_measured));
      if (best == best_measured) return take(*best, measured.at(*best));
      std::vector<MixerSpec> changed = specs_;
      changed[nth(best->first)] = mixer_of(*best);
      const JointLossValue value = measure_(changed);
      measured[*best] = value;
      added_[*best] = value.total(options_.retrieval_weight) - loss_;
    }
  }

  LadderStep take(const Change& change, const JointLossValue& value) {
    const int layer = change.first;
    const double spent = added_.at(change);
    loss_ = value.total(options_.retrieval_weight);
    specs_[nth(layer)] = mixer_of(change);
    // What the layer's other changes add was counted from what it had before.
    for (auto it = added_.begin(); it != added_.end();) {
      const bool of_layer = it->first.first == layer;
      if (of_layer && (it->first.second <= change.second || !may_follow(specs_[nth(layer)], mixer_of(it->first)))) {
        it = added_.erase(it);
        continue;
      }
      if (of_layer) it->second -= spent;
      ++it;
    }
    return {{layer, specs_[nth(layer)]}, value, loss_};
  }

  const LadderSearchOptions& options_;
  const LayerMemory& memory_;
  const MeasurePlan& measure_;
  std::vector<MixerSpec> specs_;    // with the rungs so far
  double loss_ = 0;                 // theirs
  std::map<Change, double> added_;  // what each change that is left added to the loss when that was last known
};

}  // namespace

int most_rungs(const std::vector<MixerSpec>& level_0, const LadderSearchOptions& options) {
  return LadderSearch(level_0, options, [](int, const MixerSpec&) { return 0; }, {}, {}).rungs_left();
}

std::vector<LadderStep> search_ladder(const std::vector<MixerSpec>& level_0, const LadderSearchOptions& options,
                                      const FirstLoss& first_loss, const LayerMemory& memory,
                                      const MeasurePlan& measure, const std::function<void(const LadderStep*)>& taken) {
  LB_CHECK(options.tries >= 1 && options.rungs >= 1 && options.rungs <= most_rungs(level_0, options));
  return LadderSearch(level_0, options, first_loss, memory, measure).run(taken);
}

}  // namespace layerboost
