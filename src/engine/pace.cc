#include "engine/pace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace layerboost {
namespace {

constexpr double newest = 0.2, newest_length = 0.02, newest_answer = 0.1;  // what one counts beside all before it
constexpr double of_late = 5;                                              // s
/// Requests differ, and targets are for nearly all of them: what most will see is so much more than the mean.
constexpr double most_to_mean = 1.25;
/// Short answers have the fewest tokens to make up for slow ones. Three of four have more than so much of the mean,
/// where lengths are spread as times of decay are.
constexpr double short_answer = 0.3;
/// Tokens that each sequence counts as having, at least, so that a few slow ones are no verdict.
constexpr double some = 16;

/// How many times what was foreseen a step's prompts count for at most.
constexpr double held_up = 3;

void follow(double& mean, double value, double weight) { mean = mean > 0 ? mean + weight * (value - mean) : value; }

}  // namespace

Pace::Pace(const Config& config, std::vector<double> cost, int step_tokens)
    : cost_(std::move(cost)), step_tokens_(step_tokens), prompts_(config) {}

void Pace::measure(const StepRows& step, double seconds) {
  if (seconds <= 0) return;
  const int writing = step.rows - step.prompts;
  if (step.prompts == 0) {
    follow(write_step_, seconds, newest);
  } else {
    follow(prompt_length_, step.length, newest_length);
    // What a step takes more or less than was foreseen is put down to the larger of its parts, and where it is over
    // before either could be, to what writes.
    const double write = writing > 0 ? write_step_ : 0;
    const double read = prompts_.known() ? step.prompts * prompts_.seconds(step.bytes) : 0;
    if (writing > 0 && read > 0 && (write == 0 || write > read || seconds <= write)) {
      follow(write_step_, std::max(0.0, seconds - read), newest);
    } else if (seconds > write && step.rows >= step_tokens_ / 4) {  // shorter ones have costs of their own
      const double row = (seconds - write) / step.prompts;
      // A step that was held up says little of its prompts.
      prompts_.measure(step.bytes, read > 0 ? std::min(row, held_up * read / step.prompts) : row);
    }
  }
  const double part = writing > 0 ? std::min(1.0, write_step_ / seconds) : 0;
  writing_ += (1 - std::exp(-seconds / of_late)) * (part - writing_);
}

void Pace::measure_answer(int tokens) {
  if (tokens > 0) follow(answer_, tokens, newest_answer);
}

double Pace::cost(int level) const {
  if (cost_.empty()) return 1;
  return cost_[std::min(static_cast<std::size_t>(level), cost_.size() - 1)];
}

std::vector<WaitingTimes> Pace::foresee(const Work& work, const std::vector<double>& bytes, int level) const {
  const double unread = work.unread + work.settled, open = unread > 0 ? work.unread / unread : 1;
  const double row_now = prompts_.seconds(bytes[static_cast<std::size_t>(level)]);
  const double write_now = work.writers.empty() ? 0 : write_step_;  // it may be of those that ended long ago
  const double at_once = std::max(1.0, static_cast<double>(step_tokens_ - std::ssize(work.writers)));
  const double full_steps = prompts_.known() ? unread / at_once : 0;
  std::vector<WaitingTimes> times;
  for (int to = 0; to < std::ssize(bytes); ++to) {
    const double row = row_now + open * (prompts_.seconds(bytes[static_cast<std::size_t>(to)]) - row_now);
    const double write = cost(to) / cost(level);
    const double left = row_now > 0 ? (1 - writing_) * row / row_now + writing_ * write : 1;  // of a time at `level`
    const double full_step = (prompts_.known() ? at_once * row : 0) + write_now * write;
    times.push_back({most_to_mean * std::max(full_steps * full_step, work.longest_wait * left),
                     most_to_mean * between_tokens(work.writers, full_steps, full_step, write_now * write, left)});
  }
  return times;
}

double Pace::between_tokens(const std::vector<Writer>& writers, double full_steps, double full_step, double write_step,
                            double left) const {
  const double length = answer_ > 0 ? short_answer * answer_ : std::numeric_limits<double>::infinity();
  double seconds = 0, tokens = 0;
  for (const Writer& writer : writers) {
    const double ahead = std::max(0.0, std::min<double>(length, writer.most) - writer.generated);
    const double slow = std::min(ahead, full_steps);
    seconds += writer.seconds * left + slow * full_step + (ahead - slow) * write_step;
    tokens += std::max(writer.generated - 1 + ahead, some);
  }
  return tokens > 0 ? seconds / tokens : 0;
}

}  // namespace layerboost
