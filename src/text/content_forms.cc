#include "text/content_forms.h"

namespace layerboost {

namespace {

// In small letters, for templates may make all letters small.
constexpr std::string_view sought_word = "thewordthatissought";
// A member of parts that no template knows: it comes out where a list is printed, in whatever form.
constexpr const char* unknown_member = "thememberthatnobodyknows";

Json as_part(std::string_view text) {
  return Json::array({{{"type", "text"}, {"text", text}, {unknown_member, true}}});
}

/// A conversation as templates expect it that has `content` in a message of `role`; others have the forms known so far.
Json conversation_with(std::string_view role, const Json& content, const ContentForms& known) {
  const auto other = [&](const char* of) {
    return known.of(of) == ContentForm::parts ? as_part("text") : Json("text");
  };
  const Json user = {{"role", "user"}, {"content", other("user")}};
  const Json message = {{"role", role}, {"content", content}};
  if (role == "user") return Json::array({message});
  if (role == "assistant") return Json::array({user, message, user});
  if (role != "tool") return Json::array({message, user});
  constexpr const char* id = "call00000";
  const Json function = {{"name", "f"}, {"arguments", Json::object()}};
  const Json call = {{"id", id}, {"type", "function"}, {"function", function}};
  const Json calling = {{"role", "assistant"}, {"content", other("assistant")}, {"tool_calls", Json::array({call})}};
  const Json result = {{"role", role}, {"content", content}, {"tool_call_id", id}, {"name", "f"}};
  return Json::array({user, calling, result});
}

/// The tools beside such a conversation.
Json one_tool() {
  const Json properties = {{"a", {{"type", "string"}, {"description", "text"}}}};
  const Json parameters = {{"type", "object"}, {"properties", properties}, {"required", Json::array({"a"})}};
  const Json function = {{"name", "f"}, {"description", "text"}, {"parameters", parameters}};
  return Json::array({{{"type", "function"}, {"function", function}}});
}

/// The form by what a template makes of the word as a text and as a part.
ContentForm form_of(const std::string& from_text, const std::string& from_part) {
  const bool text = from_text.find(sought_word) != std::string::npos,
             part = from_part.find(sought_word) != std::string::npos &&
                    from_part.find(unknown_member) == std::string::npos;
  if (text == part) return ContentForm::as_given;
  return text ? ContentForm::text : ContentForm::parts;
}

}  // namespace

ContentForm ContentForms::of(std::string_view role) const {
  const auto found = of_roles.find(role);
  return found == of_roles.end() ? otherwise : found->second;
}

ContentForms find_content_forms(const RenderMessages& render, bool for_tools) {
  ContentForms forms;
  for (const std::string_view role : {"user", "system", "developer", "assistant", "tool"}) {
    const Json tools = for_tools || role == "tool" ? one_tool() : Json();
    const ContentForm form = form_of(render(conversation_with(role, sought_word, forms), tools),
                                     render(conversation_with(role, as_part(sought_word), forms), tools));
    forms.of_roles.emplace(role, form);
    if (role == "user") forms.otherwise = form;
  }
  return forms;
}

}  // namespace layerboost
