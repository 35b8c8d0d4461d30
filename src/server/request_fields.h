// Which fields a request may have: those with an effect, those without one that matters, and those that this server
// can't do. A field that would change the answer is never passed over.
#pragma once

#include "base/json.h"

namespace layerboost {

enum class Endpoint { completions = 1, chat = 2, tokenize = 4, detokenize = 8, embeddings = 16, responses = 32 };

/// Throws ApiError (400), naming the field, for the first one that the endpoint neither uses nor may pass over. null is
/// as good as missing for every name.
void check_fields(const Json& body, Endpoint endpoint);

/// The same for the options that stand in the body's field `object`, such as "stream_options".
void check_options(const Json& options, const char* object, Endpoint endpoint);

}  // namespace layerboost
