// Puts load on a server of OpenAI's API and measures what each request sees of it: `vllm bench serve` without Python.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"

namespace layerboost {

/// A server and how to ask it.
struct LoadTarget {
  std::string url;      // "http://host:port"; "/v1" at its end is optional
  std::string api_key;  // empty: none
  std::string model;    // the name to ask for
};

/// One level of load.
struct LoadLevel {
  double rate = std::numeric_limits<double>::infinity();  // requests a second, at random intervals (Poisson); infinity:
                                                          // all at once
  int concurrency = 0;                                    // at most so many under way; 0: no limit
};

/// What one request saw.
struct LoadOutcome {
  std::string error;              // empty: it was answered completely
  int prompt_tokens = 0;          // as sent
  int generated_tokens = 0;       // as the server counts them, else the chunks of text
  double start = 0;               // seconds since the load began
  double first = 0, latency = 0;  // seconds from its start to the first and the last chunk of text
  std::vector<double> intervals;  // seconds between neighbouring chunks
  // The levels of the server's ladder that the sequence began and ended with, if the server says; -1: it doesn't.
  int first_level = -1, level = -1;
};

struct LoadResult {
  double duration = 0;  // seconds, from the first request to the end of the last
  std::vector<LoadOutcome> outcomes;
  int most_at_once = 0;  // requests under way
};

/// What a server says of its models.
struct ServedModels {
  std::vector<std::string> names;
  int vocabulary = 0;       // of the first one (llama-server tells); 0: unknown
  int context = 0;          // tokens of the first one's prompt and answer together (vLLM tells); 0: unknown
  bool has_levels = false;  // of a ladder, the first one (layerboost tells)
  std::vector<double> perplexity_ratios;  // of its levels to the unchanged model; empty: not all are known
};

/// Throws Error when the server can't be asked.
ServedModels served_models(const LoadTarget& target);

/// The body of a request for `tokens` tokens after `prompt` (a text or a list of token ids): streaming, greedy, not
/// ended by the model's end tokens, with the usage at the end.
Json completion_body(const LoadTarget& target, const Json& prompt, int tokens);

/// Sends all `bodies` (of /v1/completions, with prompts of so many tokens), in one thread, and waits for the answers.
/// `seed`: of the intervals. `on_done` is called after each. Throws Interrupted when the user asked to stop.
LoadResult run_load(const LoadTarget& target, const std::vector<std::string>& bodies,
                    const std::vector<int>& prompt_tokens, const LoadLevel& level, std::uint64_t seed,
                    const std::function<void(const LoadOutcome&)>& on_done);

/// Sends each of `bodies` when its time comes: seconds after the load begins, none before the one before. Everything
/// else is as in run_load().
LoadResult run_load_at(const LoadTarget& target, const std::vector<std::string>& bodies,
                       const std::vector<int>& prompt_tokens, std::vector<double> times,
                       const std::function<void(const LoadOutcome&)>& on_done);

/// Below it are, as a rule, control tokens and single bytes.
inline constexpr int first_random_token = 100;

/// Appends `count` tokens sampled at random below `vocabulary`, none of the first hundred.
void append_random_tokens(std::vector<int>& tokens, int count, int vocabulary, Random& random);

/// `count` prompts of `length` tokens sampled at random below `vocabulary`, none of the first hundred (control tokens,
/// as a rule, and single bytes): the same for the same seed, and no two with a common beginning.
std::vector<std::vector<int>> random_prompts(int count, int length, int vocabulary, std::uint64_t seed);

}  // namespace layerboost
