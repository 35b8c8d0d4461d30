// How fast the engine reads and writes, learnt from its steps, and what requests will have to wait for at each level.
#pragma once

#include <vector>

#include "engine/prompt_cost.h"

namespace layerboost {

/// The rows of a step.
struct StepRows {
  int rows = 0;       // all of them
  int prompts = 0;    // those that are tokens of prompts
  double length = 0;  // the mean number of positions before such a row
  double bytes = 0;   // the mean number of bytes that the layers keep of these positions
};

/// A sequence that writes.
struct Writer {
  double seconds = 0;  // since its first token
  int generated = 0;   // tokens that it has written
  int most = 0;        // tokens that it may write
};

/// What is under way and will write. What is only read, such as texts to be embedded, isn't waited for by anyone who
/// counts the time to a first token, and its level isn't the load's.
struct Work {
  double unread = 0;        // tokens of prompts that are to be read at the level that is chosen
  double settled = 0;       // tokens of prompts whose level is settled: they are under way, or have named it
  double longest_wait = 0;  // seconds that the first of those that wait for their first step has waited
  int level = -1;           // the mean of those that run; -1: none does
  std::vector<Writer> writers;
};

/// Times at one level, in seconds, as most requests will see them.
struct WaitingTimes {
  double first_token = 0;     // of a request that comes now
  double between_tokens = 0;  // of each token but the first of those that write
};

/// A step takes its time for the prompts' tokens, as PromptCost has it, and for the rows that write, as such steps took
/// of late.
class Pace {
 public:
  /// `cost`: of a step that writes, at each level, as far as it is known (LevelOptions::cost).
  Pace(const Config& config, std::vector<double> cost, int step_tokens);

  void measure(const StepRows& step, double seconds);
  /// A sequence has ended that wrote so many tokens.
  void measure_answer(int tokens);

  /// Positions before a token of a prompt of late.
  [[nodiscard]] double prompt_length() const { return prompt_length_; }

  /// `bytes`: what the layers keep of prompt_length() positions at each level; the times are for as many levels.
  /// `level`: that at which the steps of late were measured.
  ///
  /// Whoever comes now waits until all prompts are read that wait already. Until then each step is a full one, and
  /// those that write get one token from each; then they write on without, to the length of a short answer. What they
  /// have waited so far counts as if it were to come again, at the level in question. Until something is known of steps
  /// of a kind they take no time. All times are a quarter longer than the mean, since most requests are to keep their
  /// targets.
  [[nodiscard]] std::vector<WaitingTimes> foresee(const Work& work, const std::vector<double>& bytes, int level) const;

 private:
  [[nodiscard]] double cost(int level) const;
  [[nodiscard]] double between_tokens(const std::vector<Writer>& writers, double full_steps, double full_step,
                                      double write_step, double left) const;

  const std::vector<double> cost_;
  const int step_tokens_;
  PromptCost prompts_;
  double prompt_length_ = 0;  // 0: not known
  double write_step_ = 0;     // s of a step for all rows but those of prompts; 0: not known
  double writing_ = 0;        // their share of the time of late
  double answer_ = 0;         // tokens that sequences write; 0: not known
};

}  // namespace layerboost
