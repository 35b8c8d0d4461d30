// Which requests of a trace are sent, when, and after which others.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "net/arrival_trace.h"

namespace layerboost {

/// How much of a trace is replayed, and how.
struct ReplayRules {
  double rate = 1;                                           // times as fast as it was recorded
  double seconds = std::numeric_limits<double>::infinity();  // of replay: what comes later is left
  int requests = 0;                                          // the first so many of the trace; 0: no limit
  int context = 0;                                           // tokens that a prompt and its answer may have together
  bool turns = false;                                        // whether requests are turns of sessions
};

/// One request as it is to be sent.
struct ReplayedRequest {
  double time = 0;              // seconds after the replay begins
  int session = 0, turn = 0;    // both from 0; without turns each request is a session
  int history = 0, prompt = 0;  // tokens of the session's turns before, with their answers, and those that follow
  int generated = 0;            // tokens of the answer

  [[nodiscard]] int sent() const { return history + prompt; }
};

/// Requests in the order of their arrival.
struct Replay {
  std::vector<ReplayedRequest> requests;
  int dropped = 0;  // requests of the piece that don't fit into the context
};

/// Recorded seconds, at least, from one turn of a session to the next.
inline constexpr double seconds_between_turns = 10;

/// The piece of `trace` that `rules` name. A trace doesn't say which requests belong together, so with turns that is
/// sampled, the same at each rate: the first request that no session has yet begins one. Three of four sessions are of
/// one turn, the others of max(1, Poisson(3)); each further turn is the first request that no session has yet and that
/// comes at least `seconds_between_turns` after the turn before, as long as the trace has one. A turn sends the whole
/// of its session before it, prompts and answers, and then the prompt that the trace has. A request that is longer than
/// the context is dropped; later turns don't have it in their history. Requires: rate > 0.
Replay plan_replay(const std::vector<TracedRequest>& trace, const ReplayRules& rules, std::uint64_t seed);

/// The token ids of each request's prompt, sampled as random_prompts() does: the same for the same seed. A turn's begin
/// with all those of the turn before, which random ones follow in place of its answer, as many as it was to have.
std::vector<std::vector<int>> replay_prompts(const Replay& replay, int vocabulary, std::uint64_t seed);

}  // namespace layerboost
