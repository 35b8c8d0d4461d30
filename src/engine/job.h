// A request at work.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "engine/pooling.h"
#include "engine/request.h"
#include "engine/text_output.h"
#include "generate/logits_processors.h"
#include "grammar/constraint.h"
#include "model/sequence.h"

namespace layerboost {

/// The plans that a sequence may have, indices into the engine's: it begins with one of them, and may be folded to
/// higher ones.
struct PlanRange {
  int lowest = 0, highest = 0;
};

struct Job {
  /// `model_ends`: the model's own end tokens. `constraint`: what the text must fit; nullptr: nothing.
  Job(RequestId its_id, GenerationRequest its_request, Sink its_sink, PlanRange its_plans, const Tokenizer& tokenizer,
      const std::vector<TokenId>& model_ends, const Clock& clock, std::shared_ptr<const Constraint> constraint = {});

  const RequestId id;
  const GenerationRequest request;
  const Sink sink;
  const PlanRange plans;
  const int prompt_tokens;
  const std::vector<TokenId> ends;  // tokens that end the sequence
  const Stopwatch since;            // it was submitted

  std::vector<TokenId> tokens;       // the prompt, and what was sampled so far
  std::optional<Sequence> sequence;  // while it is running; freed when it is pre-empted
  int plan = 0;                      // of the sequence, and the lowest for it from now on
  int first_plan = -1;               // that it began with; -1: not yet run
  std::vector<int> snapshot_points;  // positions ahead where the prefix cache wants a snapshot, ascending

  Random random;
  LogitsProcessors processors;
  std::optional<Guide> guide;  // where the text must fit something
  TextOutput text;
  std::vector<std::optional<TokenLogprob>> prompt_logprobs;  // [prompt] if asked for
  std::optional<StateSum> states;                            // where its embedding is asked for
  bool failed = false;                                       // its last output has been made
  int generated = 0;                                         // tokens sampled, the stopping one among them
  int cached = -1;                                           // prompt tokens found in the prefix cache; -1: not yet run
  double waited = 0;                                         // seconds until it was first run
  double first_token = 0;                                    // seconds until its first token was sampled
  int most_read = 0;                                         // the longest its sequence ever was
  int shared = 0;                                            // positions of the prefix that it was last begun with
  std::size_t prefix = 0;                                    // hash of their tokens and rotations, for who shares them

  /// Tokens that the sequence hasn't read. One: the last sampled.
  [[nodiscard]] int pending() const { return static_cast<int>(tokens.size()) - sequence->length(); }
  /// Positions that it may come to need: the last token is sampled but not read.
  [[nodiscard]] int most_positions() const { return prompt_tokens + std::max(request.max_tokens, 1) - 1; }
  /// Whether a text is to come of it: it has a first token then, which is waited for.
  [[nodiscard]] bool writes() const { return request.max_tokens > 0 && !states; }
  /// Whether there are still log-probabilities of the prompt to be found.
  [[nodiscard]] bool wants_prompt_logprobs() const { return request.prompt_logprobs >= 0 && generated == 0; }
  /// Whether each token of the prompt has to be read by it: of what is found in the prefix cache nothing else is known.
  [[nodiscard]] bool reads_all() const { return wants_prompt_logprobs() || states; }
};

}  // namespace layerboost
