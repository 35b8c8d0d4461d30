#include "heal/all_reduce.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace layerboost {
namespace {

/// How many ranks end, and how.
struct Ending {
  double stopped = 0, failed = 0;
};

Ending ending_of(const std::exception_ptr& problem) {
  if (!problem) return {};
  try {
    std::rethrow_exception(problem);
  } catch (const Interrupted&) {
    return {1, 0};
  } catch (...) {
    return {0, 1};
  }
}

}  // namespace

AllReduce::AllReduce(const Ranks& ranks, std::function<std::string()> save) : ranks_(ranks), save_(std::move(save)) {}

void AllReduce::sum_or_end(std::span<double> values, std::exception_ptr problem) {
  const auto try_to_save = [&] {
    try {
      save();
    } catch (...) {
      problem = std::current_exception();
    }
  };
  if (ending_of(problem).stopped > 0) try_to_save();
  const Ending own = ending_of(problem);
  std::vector<double> all(values.begin(), values.end());
  all.insert(all.end(), {own.stopped, own.failed});
  sum_patiently<double>(all);
  const bool failed = all.back() > 0;
  if (!failed && all[all.size() - 2] == 0) {
    std::copy_n(all.begin(), values.size(), values.begin());
    longest_ = std::max(longest_, std::exchange(since_last_, Stopwatch()).seconds());
    return;
  }
  if (own.failed == 0) try_to_save();
  double saved = 0;
  sum_patiently<double>({&saved, 1});  // nobody goes before the first has saved: mpirun would end it
  if (ending_of(problem).failed > 0) std::rethrow_exception(problem);
  if (failed) throw ToldElsewhere();
  throw Interrupted(ranks_.size() == 1 ? told_ : "");
}

void AllReduce::sum(std::span<float> values) { sum_patiently(values); }

template <typename T>
void AllReduce::sum_patiently(std::span<T> values) {
  try {
    ranks_.sum(values, [this] { return give_up(); });
  } catch (const Interrupted&) {
    throw Interrupted(fmt::format("process {} stopped: the others don't answer", ranks_.rank()));
  }
}

/// All began the step together: who is there comes within the time of one, at the slowest.
bool AllReduce::give_up() {
  if (!interrupted()) return false;
  if (!asked_) {
    asked_.emplace();
    save();
  }
  constexpr double at_least = 10;
  return asked_->seconds() > at_least + longest_;
}

void AllReduce::save() {
  if (!ranks_.first()) return;
  const std::string before = std::exchange(told_, save_());
  // At once: mpirun may end this process before the others have answered.
  if (ranks_.size() > 1 && told_ != before) note("{}", told_);
}

}  // namespace layerboost
