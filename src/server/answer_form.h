// The form that a request wants its answer to have: JSON by a schema, one of some texts, what an expression matches.
#pragma once

#include <optional>
#include <string>

#include "grammar/grammar.h"
#include "server/fields.h"

namespace layerboost {

struct AnswerForm {
  Grammar grammar;
  std::string field;  // that asks for it
};

/// Reads OpenAI's "response_format" and "text.format", vLLM's "structured_outputs" and the older "guided_json",
/// "guided_json_object", "guided_regex", "guided_choice" and "guided_grammar", and llama.cpp's "json_schema" and
/// "grammar"; nullopt: none asks for anything. Throws ApiError, also for a schema that isn't supported and for two
/// forms at once.
std::optional<AnswerForm> read_answer_form(const Fields& fields);

}  // namespace layerboost
