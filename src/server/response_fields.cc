#include "server/response_fields.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/in_quotes.h"
#include "server/api_error.h"
#include "server/json_answer.h"
#include "server/request_fields.h"

namespace layerboost {
namespace {

/// OpenAI's rule for what comes back as it was sent.
void check_metadata(const Fields& fields) {
  constexpr std::size_t most_entries = 16, longest_key = 64, longest_value = 512;
  const Json* const metadata = fields.find("metadata");
  if (metadata == nullptr) return;
  bool good = metadata->is_object() && metadata->size() <= most_entries;
  for (auto it = metadata->begin(); good && it != metadata->end(); ++it)
    good = characters(it.key()) <= longest_key && it->is_string() &&
           characters(it->get_ref<const std::string&>()) <= longest_value;
  if (good) return;
  refuse("metadata", R"("metadata" must be an object of at most {} strings of at most {} characters, with names of {})",
         most_entries, longest_value, longest_key);
}

/// Who asks; whatever that is, it comes back.
void check_user(const Fields& fields) {
  constexpr std::size_t longest = 512;
  if (const auto user = fields.text("user"); user && characters(*user) > longest)
    refuse("user", "\"user\" must have at most {} characters", longest);
}

}  // namespace

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
  const Json* const reasoning = fields.object("reasoning");
  if (reasoning == nullptr) return std::nullopt;
  check_options(*reasoning, "reasoning", Endpoint::responses);
  return Fields(*reasoning, "reasoning.").text("effort");
}

std::string repeated_fields(const Fields& fields, const ApiRequest& request, std::optional<std::int64_t> max_tokens,
                            const std::optional<std::string>& effort, std::size_t most) {
  check_metadata(fields);
  check_user(fields);
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(); };
  std::string json =
      json_members({{"background", false},
                    {"max_output_tokens", or_null(max_tokens)},
                    {"max_tool_calls", or_null(fields.integer("max_tool_calls", 0, std::numeric_limits<int>::max()))},
                    {"parallel_tool_calls", fields.flag("parallel_tool_calls", true)},
                    {"previous_response_id", nullptr},
                    {"reasoning", {{"effort", or_null(effort)}, {"summary", nullptr}}},
                    {"service_tier", "default"},
                    {"store", false},
                    {"temperature", request.settings.sampling.temperature},
                    {"top_logprobs", std::max(0, request.settings.logprobs)},
                    {"top_p", request.settings.sampling.top_p},
                    {"truncation", "disabled"}});
  // What may be large isn't copied as JSON.
  const auto given = [](const Fields& of, const char* name, const char* otherwise = "null") {
    const Json* const value = of.find(name);
    return value == nullptr ? otherwise : json_line(*value);
  };
  const Json* const text = fields.find("text");
  constexpr const char* plain = R"({"type":"text"})";
  json += R"(,"text":{"format":)" + (text == nullptr ? plain : given(Fields(*text), "format", plain)) +
          R"(,"verbosity":"medium"})";
  json += R"(,"instructions":)" + given(fields, "instructions");
  json += R"(,"metadata":)" + given(fields, "metadata", "{}");
  json += R"(,"tool_choice":)" + given(fields, "tool_choice", "\"auto\"");
  json += R"(,"tools":)" + given(fields, "tools", "[]");
  json += R"(,"user":)" + given(fields, "user");
  if (json.size() > most)
    refuse("",
           R"(the answer repeats "instructions", "tools" and "text", which have more than {} KiB here: shorten them)",
           most >> 10);
  return json;
}

}  // namespace layerboost
