// How to choose tokens and when to stop, as requests say it: OpenAI's fields and vLLM's further ones.
#pragma once

#include <memory>

#include "engine/request.h"
#include "server/fields.h"
#include "server/limits.h"

namespace layerboost {

/// Reads temperature, top_p, top_k, min_p, the penalties and logit_bias; what isn't said is as in `otherwise`. Throws
/// ApiError.
Sampling read_sampling(const Fields& fields, TokenId vocab, const Sampling& otherwise);

/// Reads allowed_token_ids and bad_words; nullptr: none of both is given. Words are left out as `tokenizer` writes them
/// by themselves and with a space in front. Throws ApiError.
std::shared_ptr<const TokenFilter> read_token_filter(const Fields& fields, const Tokenizer& tokenizer, TokenId vocab,
                                                     const Limits& limits);

/// Reads stop, stop_token_ids, ignore_eos, min_tokens, include_stop_str_in_output and skip_special_tokens into
/// `request`. Throws ApiError.
void read_stops(const Fields& fields, TokenId vocab, const Limits& limits, GenerationRequest& request);

}  // namespace layerboost
