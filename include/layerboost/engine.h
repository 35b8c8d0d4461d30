// Many sequences written at once by one model: continuous batching, for programs that serve several people. A request
// is submitted with a sink, waits until there are a place and memory for it, and then runs: each step takes all running
// sequences on by a token. Its sink is handed an Output for each new token; the last one says why the sequence ended.
// The program gives one thread to run(), or calls step() itself, and submits from where it likes. ServingOptions bound
// the memory, the queue and how many run at the same time. An engine has the one plan that its model was opened with.
// It takes tokens, not messages (LanguageModel::encode() makes them), and speaks no HTTP: `layerboost serve` does.
#pragma once

#include <cstddef>
#include <memory>

#include "layerboost/error.h"
#include "layerboost/export.h"
#include "layerboost/model.h"
#include "layerboost/request.h"
#include "layerboost/serving_options.h"

namespace layerboost {

/// An engine as of its last step.
struct ServingStats {
  int waiting = 0, running = 0;  // sequences
  std::size_t cache_limit = 0;   // bytes
  std::size_t cache_used = 0;    // bytes
};

/// Requests come at any time; each step goes on with all running sequences by a token, and reads prompts beside them.
/// What one sequence becomes doesn't depend on what else runs, beyond rounding.
///
/// One thread at a time, the compute thread, calls step() or run(); all other members may be called by any thread, and
/// by sinks. Members throw Error as they say, and std::bad_alloc where there is no memory.
class LAYERBOOST_API ServingEngine {
 public:
  /// Throws Error for options that make no sense. Requires: `model` outlives this and isn't moved from.
  explicit ServingEngine(const LanguageModel& model, const ServingOptions& options = {});
  /// Requires: no thread is in step() or run(). Sequences that haven't ended are dropped, and their sinks not called.
  ~ServingEngine();
  ServingEngine(const ServingEngine&) = delete;
  ServingEngine& operator=(const ServingEngine&) = delete;

  /// Takes a request, whose outputs go to `sink`, on the compute thread. Throws Error for one that can never run (no
  /// prompt, more tokens than the model's texts may have, more memory than there is, values out of range), and
  /// QueueFull, an Error, when too many are waiting.
  RequestId submit(GenerationRequest request, Sink sink);

  /// Ends a sequence: before the next step its memory is free and its sink has been given finish = cancelled. Nothing
  /// happens if it has ended.
  void cancel(RequestId id);

  /// One step: schedules, computes, samples and calls sinks. False when there was nothing to do. A sequence that can't
  /// go on fails alone, and its sink is told so; where the whole step fails (no memory), all running sequences do, and
  /// the engine goes on.
  bool step();

  /// Steps until stop(), sleeping while there is nothing to do.
  void run();

  /// Makes run() return after its current step, or at once if it is called later; what hasn't ended stays, and run()
  /// may be called again.
  void stop();

  [[nodiscard]] ServingStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace layerboost
