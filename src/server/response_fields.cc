#include "server/response_fields.h"

#include <algorithm>
#include <iterator>

#include "base/in_quotes.h"
#include "server/api_error.h"
#include "server/request_fields.h"

namespace layerboost {

bool wants_logprobs(const Fields& fields) {
  constexpr std::string_view others[] = {"file_search_call.results",
                                         "web_search_call.results",
                                         "web_search_call.action.sources",
                                         "message.input_image.image_url",
                                         "computer_call_output.output.image_url",
                                         "code_interpreter_call.outputs",
                                         "reasoning.encrypted_content"};
  bool wanted = false;
  for (const std::string& name : fields.texts("include", 16)) {
    wanted = wanted || name == include_logprobs;
    if (name != include_logprobs && std::ranges::find(others, name) == std::end(others))
      refuse("include", "\"include\" can't be {}; of what this server has it may name \"{}\"", in_quotes(name),
             include_logprobs);
  }
  return wanted;
}

std::optional<std::string> read_effort(const Fields& fields) {
  const Json* const reasoning = fields.find("reasoning");
  if (reasoning == nullptr) return std::nullopt;
  if (!reasoning->is_object()) refuse("reasoning", "\"reasoning\" must be an object, not {}", reasoning->type_name());
  check_reasoning_options(*reasoning);
  return Fields(*reasoning, "reasoning.").text("effort");
}

Json repeated_fields(const Fields& fields, const ApiRequest& request, std::optional<std::int64_t> max_tokens,
                     const std::optional<std::string>& effort) {
  const auto given = [](const Fields& of, const char* name, const Json& otherwise = {}) {
    const Json* const value = of.find(name);
    return value == nullptr ? otherwise : *value;
  };
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(); };
  const Json text = given(fields, "text", Json::object());
  return {{"background", false},
          {"instructions", given(fields, "instructions")},
          {"max_output_tokens", or_null(max_tokens)},
          {"max_tool_calls", given(fields, "max_tool_calls")},
          {"metadata", given(fields, "metadata", Json::object())},
          {"parallel_tool_calls", fields.flag("parallel_tool_calls", true)},
          {"previous_response_id", nullptr},
          {"reasoning", {{"effort", or_null(effort)}, {"summary", nullptr}}},
          {"service_tier", "default"},
          {"store", false},
          {"temperature", request.settings.sampling.temperature},
          {"text", {{"format", given(Fields(text), "format", {{"type", "text"}})}, {"verbosity", "medium"}}},
          {"tool_choice", given(fields, "tool_choice", "auto")},
          {"tools", given(fields, "tools", Json::array())},
          {"top_logprobs", std::max(0, request.settings.logprobs)},
          {"top_p", request.settings.sampling.top_p},
          {"truncation", "disabled"},
          {"user", given(fields, "user")}};
}

}  // namespace layerboost
