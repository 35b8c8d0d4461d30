// Many texts written at once by one model: continuous batching.
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
  int waiting = 0, running = 0;  // texts
  std::size_t cache_limit = 0;   // bytes
  std::size_t cache_used = 0;    // bytes
};

/// Requests come at any time; each step goes on with all running texts by a token, and reads prompts beside them. What
/// one text becomes doesn't depend on what else runs, beyond rounding.
///
/// One thread at a time, the compute thread, calls step() or run(); all other members may be called by any thread, and
/// by sinks. Members throw Error as they say, and std::bad_alloc where there is no memory.
class LAYERBOOST_API ServingEngine {
 public:
  /// `model` must outlive the engine and not be moved from. Throws Error for options that make no sense.
  explicit ServingEngine(const LanguageModel& model, const ServingOptions& options = {});
  /// Requires: no thread is in step() or run(). Texts that haven't ended are dropped, and their sinks not called.
  ~ServingEngine();
  ServingEngine(const ServingEngine&) = delete;
  ServingEngine& operator=(const ServingEngine&) = delete;

  /// Takes a request, whose outputs go to `sink`, on the compute thread. Throws Error for one that can never run (no
  /// prompt, more positions than the model has, more memory than there is, values out of range), and QueueFull, an
  /// Error, when too many are waiting.
  RequestId submit(GenerationRequest request, Sink sink);

  /// Ends a text: before the next step its memory is free and its sink has been given finish = cancelled. Nothing
  /// happens if it has ended.
  void cancel(RequestId id);

  /// One step: schedules, computes, samples and calls sinks. False when there was nothing to do. A text that can't go
  /// on fails alone, and its sink is told so; where the whole step fails (no memory), all running texts do, and the
  /// engine goes on.
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
