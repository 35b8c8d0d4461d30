// Messages of OpenAI's API as chat templates expect them.
#pragma once

#include <string_view>

#include "base/json.h"

namespace layerboost {

/// Whether a template goes through the parts of a message's content by itself; others expect text.
bool handles_content_parts(std::string_view source);

/// `messages` with what the API and templates have different forms of, as servers of Hugging Face's templates do:
/// - content in parts becomes one text, parts joined by line ends, unless `parts`: the template handles them;
/// - the arguments of tool calls become objects where they are JSON in text;
/// - "reasoning_content", "reasoning" and "thinking", of which there may be one, are there under the first and the last
///   name.
/// What isn't of the API's form stays as it is. Throws Error for parts other than text in a template without parts.
Json messages_for_template(const Json& messages, bool parts);

}  // namespace layerboost
