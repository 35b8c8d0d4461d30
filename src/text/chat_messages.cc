#include "text/chat_messages.h"

#include <string>
#include <utility>

namespace layerboost {

namespace {

std::string joined_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    const auto type = part.is_object() ? part.find("type") : part.end();
    const bool is_text = type != part.end() && type->is_string() && type->get_ref<const std::string&>() == "text";
    if (!is_text || !part.contains("text") || !part["text"].is_string())
      fail(
          "the model's chat template takes text only here: every part of the message must be {{\"type\": "
          "\"text\", \"text\": \"...\"}}");
    if (&part != &parts.front()) text += '\n';
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

void give_form(Json& content, ContentForm form) {
  if (form == ContentForm::text && content.is_array())
    content = joined_parts(content);
  else if (form == ContentForm::parts && content.is_string())
    content = Json::array({{{"type", "text"}, {"text", content}}});
  else if (form == ContentForm::parts && content.is_null())
    content = Json::array();
}

void parse_arguments(Json& calls) {
  if (!calls.is_array()) return;
  for (Json& call : calls) {
    Json* const function = call.is_object() && call.contains("function") ? &call["function"] : nullptr;
    if (function == nullptr || !function->is_object() || !function->contains("arguments")) continue;
    Json& arguments = (*function)["arguments"];
    if (!arguments.is_string()) continue;
    const auto& text = arguments.get_ref<const std::string&>();
    try {
      Json parsed = parse_json(text.empty() ? "{}" : text, "arguments");
      if (parsed.is_object()) arguments = std::move(parsed);
    } catch (const Error&) {  // text that the model wrote: it stays
    }
  }
}

void name_reasoning(Json& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) continue;
    const Json reasoning = *found;
    message["reasoning_content"] = reasoning;
    if (!message.contains("thinking")) message["thinking"] = reasoning;
    return;
  }
}

}  // namespace

Json messages_for_template(const Json& messages, const ContentForms& forms) {
  Json prepared = messages;
  if (!prepared.is_array()) return prepared;
  for (Json& message : prepared) {
    if (!message.is_object()) continue;
    const auto role = message.find("role");
    const bool has_role = role != message.end() && role->is_string();
    const ContentForm form = has_role ? forms.of(role->get_ref<const std::string&>()) : forms.otherwise;
    if (const auto content = message.find("content"); content != message.end()) give_form(*content, form);
    if (const auto calls = message.find("tool_calls"); calls != message.end()) {
      if (calls->is_null() || *calls == Json::array())
        message.erase(calls);
      else
        parse_arguments(*calls);
    }
    name_reasoning(message);
  }
  return prepared;
}

}  // namespace layerboost
