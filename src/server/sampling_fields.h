// How to choose tokens and when to stop, as requests say it: OpenAI's fields and vLLM's further ones.
#pragma once

#include "engine/request.h"
#include "server/fields.h"
#include "server/limits.h"

namespace layerboost {

/// Reads temperature, top_p, top_k, min_p, the penalties and logit_bias; what isn't said is as in `otherwise`. Throws
/// ApiError.
Sampling read_sampling(const Fields& fields, TokenId vocab, const Sampling& otherwise);

/// Reads stop, stop_token_ids, ignore_eos and min_tokens into `request`. Throws ApiError.
void read_stops(const Fields& fields, TokenId vocab, const Limits& limits, GenerationRequest& request);

}  // namespace layerboost
