#include "server/chat_messages.h"

#include "server/api_error.h"

namespace layerboost {
namespace {

/// The text of a part: a string (vLLM takes it), or an object of a type that has text in it, in OpenAI's words or those
/// of its Responses API.
std::string text_of_part(const Json& part, const std::string& path) {
  if (part.is_string()) return part.get<std::string>();
  const std::string type = part.is_object() ? Fields(part, path + ".").text("type").value_or("") : "";
  if (type == "text" || type == "input_text" || type == "output_text")
    return Fields(part, path + ".").text("text").value_or("");
  if (type == "refusal") return Fields(part, path + ".").text("refusal").value_or("");
  refuse(path, "\"{}\" may only have parts of \"type\": \"text\"; the model reads nothing else", path);
}

/// The parts in the form that chat templates know: {"type": "text", "text": ...}.
Json text_parts(const Json& parts, const std::string& path) {
  Json texts = Json::array();
  for (const Json& part : parts) texts.push_back({{"type", "text"}, {"text", text_of_part(part, path)}});
  return texts;
}

}  // namespace

Json read_messages(const Fields& fields) {
  const Json* const messages = fields.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->empty())
    refuse("messages",
           R"("messages" must be a list of at least one message such as {{"role": "user", "content": "Hello"}})");
  Json read = *messages;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const std::string path = fmt::format("messages[{}]", i);
    Json& message = read[i];
    if (!message.is_object()) refuse(path, "\"{}\" must be an object with \"role\" and \"content\"", path);
    if (!Fields(message, path + ".").text("role")) refuse(path + ".role", "\"{}.role\" is missing", path);
    Json& content = message["content"];
    if (content.is_array()) content = text_parts(content, path + ".content");
    if (content.is_null()) content = "";
    if (!content.is_string() && !content.is_array())
      refuse(path + ".content", "\"{}.content\" must be a string or a list of parts", path);
  }
  return read;
}

}  // namespace layerboost
