// Choosing the next token of a text that has to fit a grammar.
#pragma once

#include <span>

#include "generate/logits_processors.h"
#include "grammar/constraint.h"

namespace layerboost {

/// All steps of Sampling, of the tokens that `guide` allows and, where the text may end, of `ends`: as if the others
/// weren't there. A token of `ends` that spells something is never a part of the text. Most tokens that models like are
/// allowed, so that the likeliest are looked at first, and all only where these don't decide.
Chosen sample_guided(const float* logits, float scale, int vocab, const Sampling& sampling,
                     const LogitsProcessors& processors, std::span<const TokenId> ends, Guide& guide, Random& random,
                     ScratchStack& scratch);

}  // namespace layerboost
