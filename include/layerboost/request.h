// What an engine is asked for and what it answers. A GenerationRequest is a prompt, in tokens, and how to go on from
// it: how far, sampled how, stopped by what. The answer comes as Outputs, each with what is new and with counts from
// the beginning on, which are handed to the request's Sink; the last one has a FinishReason. An engine keeps a request
// of its own: after submit() it can't be changed, only cancelled by its RequestId.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layerboost/export.h"
#include "layerboost/sampling.h"
#include "layerboost/types.h"

namespace layerboost {

/// Counts up from 1 in order of arrival.
using RequestId = std::uint64_t;

/// Why a sequence ended. stop: an end token, a stop token or a stop string; length: max_tokens; failed: it couldn't be
/// written on, Output::error says why.
enum class FinishReason { none, stop, length, cancelled, failed };

/// OpenAI's words: "stop", "length"; and "cancelled", "failed", "none".
LAYERBOOST_API const char* name_of(FinishReason reason);

/// A sequence to be written on, or read.
struct GenerationRequest {
  std::vector<TokenId> prompt = {};  // at least one token
  int max_tokens = 16;               // 0: the prompt is only read
  /// The prompt's embedding is asked for, and nothing is written: max_tokens is 0. Without a `plan` it is that of plan
  /// 0, whatever the load, so that all embeddings of one engine can be compared.
  bool embedding = false;
  int min_tokens = 0;       // before so many, end and stop tokens can't be sampled and stop strings don't count
  bool ignore_eos = false;  // the model's own end tokens don't end the sequence
  /// The plan that the sequence is read and written with, to its end: an index into the engine's plans. A ServingEngine
  /// has one plan, 0, and uses it where none is named, too. (The server's engine may have several, ordered from the one
  /// that loses nothing to the one that keeps the least; without a name here it chooses among them by its load.)
  std::optional<int> plan = {};
  Sampling sampling = {};
  std::uint64_t seed = 0;                  // the same seed gives the same text whatever else is in the batch
  std::vector<TokenId> stop_tokens = {};   // beside the model's own; the stopping token is not part of the text
  std::vector<std::string> stop = {};      // UTF-8; the text ends before the first of them
  bool include_stop = false;               // the text ends with the stop string that ends it
  bool include_end = false;                // the text ends with the end or stop token that ends it
  bool skip_special = true;                // control tokens give no text,
  std::vector<TokenId> shown_tokens = {};  // but for these
  /// -1: none; n >= 0: of each token its own log-probability and the n likeliest tokens. Of the raw softmax: before
  /// temperature, penalties and bias.
  int logprobs = -1;
  int prompt_logprobs = -1;   // the same of the prompt's tokens,
  bool prompt_ranks = false;  // with their ranks
};

/// A token's log-probability, and the likeliest tokens in its place.
struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;
  std::vector<std::pair<TokenId, float>> top;  // likeliest first
  int rank = 0;  // tokens that are as likely or likelier, itself among them; 0: it wasn't asked for
};

/// A piece of a sequence, as it is written.
struct Output {
  std::string text;  // new text: whole UTF-8 characters; may be empty while something is held back that may become a
                     // character or a stop string
  /// New tokens. Those of a stop string are among them, an end or stop token only where that is included.
  std::vector<TokenId> tokens;
  TokenId ended_by = -1;                                     // the end or stop token that isn't among them; -1: none
  std::vector<TokenLogprob> logprobs;                        // of `tokens`, if asked for
  std::vector<std::optional<TokenLogprob>> prompt_logprobs;  // [prompt], if asked for, with the first output only; [0]
                                                             // is empty
  /// [D], if asked for, with the last output: the mean of the prompt's last hidden states, after the final norm,
  /// divided by its length.
  std::vector<float> embedding;
  FinishReason finish = FinishReason::none;
  const char* error = nullptr;  // of a sequence that failed: one line, for good
  bool by_request = false;      // it failed for what was asked for: its form, its bad words and the like leave no token
  // So far:
  int prompt_tokens = 0;
  int cached_tokens = 0;     // of the prompt, found in the prefix cache
  int generated_tokens = 0;  // sampled, the stopping token among them
  double waited = 0;         // seconds in the queue before the sequence was first run
  int first_plan = 0;        // the plan that the sequence began with
  int plan = 0;              // that it has now
};

/// Is handed each Output on the compute thread, in order; the last one has finish != none, and nothing comes after it.
/// It may call the submit() and cancel() of its engine. Requires: it is quick and doesn't throw.
using Sink = std::function<void(Output&&)>;

}  // namespace layerboost
