// The messages of a conversation, as a chat template takes them.
#pragma once

#include "server/fields.h"

namespace layerboost {

/// Reads "messages": each a "role" and a "content", which is a text or a list of parts, all of
/// which become {"type": "text", "text": ...}. Other keys are kept for the template. Throws ApiError.
Json read_messages(const Fields& fields);

}  // namespace layerboost
