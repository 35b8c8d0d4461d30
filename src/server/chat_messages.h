// The messages of a conversation, as a chat template takes them.
#pragma once

#include "server/fields.h"

namespace layerboost {

/// Reads "messages": each a "role" and a "content", which is a text or a list of parts, all of
/// which become {"type": "text", "text": ...}. Other keys are kept for the template. Throws ApiError.
Json read_messages(const Fields& fields);

/// Reads "instructions" and "input" of the Responses API as such messages: a text, or a list of messages, calls of
/// functions and what came of these. What the assistant said and called in one turn is one message. Throws ApiError,
/// also for items of other types.
Json read_input(const Fields& fields);

}  // namespace layerboost
