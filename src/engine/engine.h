// The engine: many sequences written at once by one model (continuous batching). A request, a prompt in tokens and how
// to go on from it, waits in a queue until there are a place and memory for it; then it runs as a sequence. Each step
// takes the running sequences on by a token and reads prompts beside them, up to a budget of rows. Whatever is written
// goes to the request's sink, until the sequence ends: by an end token, a stop string, its length, cancel() or a
// failure. The scheduler decides who runs, and pre-empts or folds sequences where memory is short (engine/scheduler.h,
// engine/levels.h); the prefix cache keeps what was read for requests that begin alike. One thread computes; any thread
// may submit and cancel. The engine knows no HTTP, no JSON and no chat templates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "engine/levels.h"
#include "engine/request.h"
#include "engine/step_runner.h"
#include "layerboost/serving_options.h"
#include "model/mixer.h"
#include "model/model.h"
#include "model/step_times.h"

namespace layerboost {

class Constraint;

struct EngineOptions : ServingOptions {
  LevelOptions levels = {};
  int preallocate = 0;  // positions of each sequence that may run whose memory is taken from the system at once
  const Clock* clock = &Clock::steady();           // by which requests wait. Requires: it outlives the engine
  std::size_t constraints = std::size_t{1} << 30;  // bytes of all grammars that texts under way and waiting must fit
};

/// Counters only grow; gauges are of the last step.
struct EngineStats {
  // Gauges.
  int waiting = 0, running = 0;
  std::size_t cache_limit = 0;                      // bytes
  std::size_t cache_softmax = 0, cache_window = 0;  // bytes in use by layers of these kinds,
  std::size_t cache_state = 0;                      // and by layers with a state, windows included;
  std::size_t cache_reserved = 0;                   // bytes taken from the system for them
  std::size_t scratch = 0;                          // bytes that steps compute in, kept from one to the next
  int snapshots = 0;                                // prefixes that the prefix cache holds
  int level = 0;                                    // that requests which begin now are given
  std::vector<int> running_by_plan;                 // [plans]
  [[nodiscard]] std::size_t cache_used() const { return cache_softmax + cache_window + cache_state; }
  // Counters.
  std::uint64_t requests = 0;  // taken
  std::uint64_t finished_stop = 0, finished_length = 0, cancelled = 0, failed = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t prompt_tokens = 0, generated_tokens = 0;           // of prompts read or found; sampled
  std::uint64_t recomputed_tokens = 0;                             // read again: pre-empted, or long by now
  std::uint64_t embeddings = 0;                                    // of the finished ones
  std::uint64_t prefix_queried_tokens = 0, prefix_hit_tokens = 0;  // of prompts that the prefix cache was asked for
  std::vector<std::uint64_t> finished_by_plan;                     // [plans] by what they had in the end
  std::vector<std::uint64_t> tokens_by_plan;                       // [plans] of the generated tokens
  std::uint64_t folds = 0;                                         // of running sequences, for want of memory
  std::uint64_t folded_bytes = 0;                                  // that these have freed
  std::uint64_t folded_prefixes = 0;                               // found by requests of a higher level
  std::array<int, level_causes> level_changes{};                   // by LevelCause
  std::uint64_t steps = 0, rows = 0;
  StepTimes times;  // spent in steps, but for the last one's output
};

/// `inherited`: a request comes when one that belongs with it has ended, and isn't refused for those that wait.
enum class Place { of_its_own, inherited };

/// The compute thread is the one that calls run() or step(); everything else may come from any thread.
class Engine {
 public:
  /// An engine for requests of several plans: GenerationRequest::plan is an index into `plans`, whose sequences share
  /// steps and memory; each is as it would be with its plan alone. Options may make levels of them. Memory that is
  /// preallocated is for the first one's. `runner`: what runs the steps; nullptr: the model. Throws Error for options
  /// that make no sense. Requires: there is at least one plan; `model` and the plans' mixers [L] outlive this.
  Engine(const Model& model, std::vector<const MixerList*> plans, const EngineOptions& options = {},
         std::unique_ptr<StepRunner> runner = nullptr);
  /// An engine for one plan.
  Engine(const Model& model, const MixerList& mixers, const EngineOptions& options = {})
      : Engine(model, std::vector{&mixers}, options) {}
  /// Drops what isn't finished, and doesn't call its sinks. Requires: no thread is in run() or step().
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes a request; its outputs go to `sink`. Throws Error for one that can never run (no prompt, more positions than
  /// the model has, more memory than there is, values out of range, a plan that the engine doesn't have, a constraint
  /// by which no text can begin), QueueFull when too many are waiting, or when the constraints of those that do take
  /// too much memory. Thread-safe. `constraint`: what the text must fit (grammar/constraint.h), in tokens of the
  /// model's tokenizer; nullptr: nothing. It ends where nothing more fits, whatever `min_tokens` says. One in which no
  /// token may come, or which leaves too much open, fails alone. `place`: whose place in the queue it takes.
  RequestId submit(GenerationRequest request, Sink sink, const std::shared_ptr<const Constraint>& constraint = {},
                   Place place = Place::of_its_own);

  /// The tokens that it reads in one step at most.
  [[nodiscard]] int step_tokens() const;
  /// Sequences that it may have at the same time, running and waiting, but for those that inherit a place.
  [[nodiscard]] int places() const;

  /// The most positions, up to `most`, that the memory holds of one sequence with this plan, or, for -1, of one that
  /// leaves the plan to the engine and is prompt all over; at least 1. Thread-safe. Requires: the engine has the plan.
  [[nodiscard]] int longest_sequence(int most, int plan = -1) const;

  /// The highest plan that a sequence may come to have whose prompt has so many tokens, and which leaves the plan to
  /// the engine. Thread-safe.
  [[nodiscard]] int highest_plan(int prompt) const;

  /// Ends a request: before the next step its memory is free and its sink has been given finish = cancelled. Nothing
  /// happens if it has ended. Thread-safe.
  void cancel(RequestId id);

  /// One step: schedule, run, sample, hand out. False when there was nothing to do. A sequence whose logits aren't
  /// numbers fails alone; where the step itself fails (no memory), all running sequences do, and the engine goes on.
  /// Compute thread.
  bool step();

  /// Steps until stop(), sleeping while there is nothing to do. Compute thread.
  void run();

  /// Makes run() return after its current step; what isn't finished stays, and run() may be called again. Thread-safe.
  void stop();

  /// The counters and gauges as of the last step; `waiting` and `requests` count what came since, too. Thread-safe.
  [[nodiscard]] EngineStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace layerboost
