// The tools of a request: what its answer may call, must call, and how such calls are written.
#pragma once

#include <optional>
#include <string>

#include "grammar/grammar.h"
#include "server/fields.h"
#include "text/tool_calls.h"

namespace layerboost {

/// How a request writes a function: {"type": "function", "function": {"name": ...}} or, in the Responses API,
/// {"type": "function", "name": ...}.
enum class FunctionForm { nested, flat };

struct ToolUse {
  Json tools;                        // for the chat template, nested; null: none
  std::optional<ToolFormat> format;  // in which calls are looked for; empty: the answer is text
  bool one_call = false;             // at most
  std::optional<Grammar> form;       // of an answer that has to be calls
};

/// Reads "tools", "tool_choice" and "parallel_tool_calls". `format`: that of the model's template; nullopt: one that
/// isn't read, so that tools are refused. `told`: whether the template tells the model of tools; where it doesn't, only
/// an answer that has to be calls can have some. `answered`: whether there is an answer, which may be held to a form.
/// Throws ApiError.
ToolUse read_tools(const Fields& fields, std::optional<ToolFormat> format, bool told = true,
                   FunctionForm form = FunctionForm::nested, bool answered = true);

/// An id for a call in an answer, which nobody else has, and which the model's template takes back.
std::string new_call_id(ToolFormat format);

}  // namespace layerboost
