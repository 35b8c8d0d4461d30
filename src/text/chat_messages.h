// Messages of OpenAI's API as chat templates expect them.
#pragma once

#include "base/json.h"
#include "text/content_forms.h"

namespace layerboost {

/// `messages` with what the API and templates have different forms of, as servers of Hugging Face's templates do:
/// - content has the form that the template takes of its role: parts become one text, joined by line ends; a text
///   becomes one part, and none an empty list;
/// - "tool_calls" that are null or empty are left out: many templates only look whether there is such a member;
/// - the arguments of tool calls become objects where they are JSON in text, or an empty text;
/// - "reasoning_content", "reasoning" and "thinking", of which there may be one, are there under the first and the last
///   name.
/// What isn't of the API's form stays as it is. Throws Error for parts other than text where they
/// become a text.
Json messages_for_template(const Json& messages, const ContentForms& forms);

}  // namespace layerboost
