// The training loop: batches of text, gradients, AdamW, measurements, checkpoints.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/progress.h"
#include "heal/all_reduce.h"
#include "heal/checkpoint.h"
#include "heal/heal_options.h"
#include "heal/heal_text.h"
#include "heal/train_log.h"

namespace layerboost {

/// Where a run keeps what it writes, and what it tells on the way.
struct TrainFiles {
  fs::path checkpoint, log;
  Json identity;                    // what the run is made of: it goes on only from a checkpoint of the same
  std::int64_t first_sequence = 0;  // of the text
  /// Called with the state of the checkpoint that the run goes on from, where there is one.
  std::function<void(const TrainState&)> found = [](const TrainState&) {};
  /// Called with the first parameters of a new run, to put others in their place.
  std::function<void(std::span<float>)> begin = [](std::span<float>) {};
  /// Called with the parameters whenever they are the best so far: before the first step, then after measurements.
  /// The checkpoint has them by then.
  std::function<void(const TrainState&)> save_best;
};

/// Returns the steps of the first stage; none where the student's mixers have no parameters.
std::int64_t match_steps(const HealOptions& options, const Student& student);

class Trainer {
 public:
  /// Requires: what references lead to outlives this.
  Trainer(const Model& model, Student& student, HealText& text, const HealOptions& options, TrainFiles files);

  /// Trains to the end, from the checkpoint where there is one, and returns the last state (its measurements on the
  /// first rank only). Throws Interrupted (a checkpoint was saved), Error when training diverges (the best parameters
  /// were saved) or a file can't be written; all ranks throw, with a message on one of them.
  TrainState run();

 private:
  void begin();
  void begin_or_go_on();
  void check_same_run() const;
  LossSums gradients_of_step();
  void all_reduce(LossSums& sums, std::exception_ptr problem);
  void learn(const LossSums& sums);
  void update(double tokens, double norm);
  void check_divergence(double loss, double norm);
  void report(const LossSums& sums, Progress& progress);
  void measure_and_save();
  void measure();
  void save();
  [[nodiscard]] bool measurement_due() const;
  /// Whether the next step is of the first stage, in which only the mixers' own parameters learn.
  [[nodiscard]] bool matching() const { return state_.step < match_steps_; }
  [[nodiscard]] std::int64_t all_steps() const { return match_steps_ + options_.steps(); }
  [[nodiscard]] bool done() const { return state_.step == all_steps(); }

  Student& student_;
  HealText& text_;
  const HealOptions options_;
  const TrainFiles files_;
  const Ranks& ranks_;
  Distiller distiller_;
  const HeldOut held_out_;
  int micro_sequences_ = 1;
  std::int64_t match_steps_ = 0;  // of the first stage
  double last_loss_ = 0, last_norm_ = 0, last_rate_ = 0;
  TrainState state_;
  std::vector<float> gradients_;
  std::optional<TrainLog> log_;  // the first rank's
  AllReduce all_reduce_;
  Stopwatch since_step_, since_save_, since_start_;
  std::int64_t saved_step_ = -1;  // of the checkpoint on disk
  double seconds_before_ = 0;     // of the runs before this one
};

/// Returns how many of one rank's sequences go through the models at once: as options say, or about 2048 tokens, fewer
/// where activations would have to be computed again.
int micro_batch_sequences(const HealOptions& options, const Student& student);

}  // namespace layerboost
