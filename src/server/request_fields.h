// Which fields a request may have: those with an effect, those without one that matters, and those that this server
// can't do. A field that would change the answer is never passed over.
#pragma once

#include "base/json.h"

namespace layerboost {

enum class Endpoint { completions = 1, chat = 2, tokenize = 4, detokenize = 8, embeddings = 16, responses = 32 };

/// Throws ApiError (400), naming the field, for the first one that the endpoint neither uses nor may pass over. null is
/// as good as missing for every name.
void check_fields(const Json& body, Endpoint endpoint);

/// The same for the body's "stream_options", "layerboost", "text" and "reasoning".
void check_stream_options(const Json& options, Endpoint endpoint);
void check_own_options(const Json& options);
void check_text_options(const Json& options);
void check_reasoning_options(const Json& options);

}  // namespace layerboost
