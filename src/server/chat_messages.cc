#include "server/chat_messages.h"

#include <map>
#include <utility>

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

/// Checks a message, and gives its content the form that templates know.
void prepare_message(Json& message, const std::string& path) {
  if (!Fields(message, path + ".").text("role")) refuse(path + ".role", "\"{}.role\" is missing", path);
  Json& content = message["content"];
  if (content.is_array()) content = text_parts(content, path + ".content");
  if (content.is_null()) content = "";
  if (!content.is_string() && !content.is_array())
    refuse(path + ".content", "\"{}.content\" must be a string or a list of parts", path);
}

std::string required_text(const Fields& item, const char* name) {
  const auto text = item.text(name);
  if (!text) refuse(item.path(name), "\"{}\" is missing", item.path(name));
  return *text;
}

/// Makes messages of the Responses API's items.
class InputReader {
 public:
  explicit InputReader(Json messages) : messages_(std::move(messages)) {}

  void add(const Json& item, const std::string& path) {
    if (!item.is_object()) refuse(path, "\"{}\" must be an object with \"role\" and \"content\"", path);
    const Fields fields(item, path + ".");
    const std::string type = fields.text("type").value_or("message");
    if (type == "function_call") return add_call(fields);
    if (type == "function_call_output") return add_result(fields);
    if (type != "message")
      refuse(fields.path("type"), R"("{}" must be "message", "function_call" or "function_call_output")",
             fields.path("type"));
    if (fields.find("tool_calls") != nullptr)
      refuse(fields.path("tool_calls"), R"("{}": calls are items of their own, of the type "function_call")",
             fields.path("tool_calls"));
    Json message = item;
    for (const char* const of_the_item : {"type", "id", "status", "phase", "tool_calls"}) message.erase(of_the_item);
    prepare_message(message, path);
    if (message["role"] == "assistant" && in_turn()) return add_text(std::move(message["content"]));
    messages_.push_back(std::move(message));
  }

  Json take() { return std::move(messages_); }

 private:
  /// Whether the assistant's turn goes on, which is one message to chat templates.
  [[nodiscard]] bool in_turn() const { return !messages_.empty() && messages_.back()["role"] == "assistant"; }

  /// Texts of a turn may have calls between them: they become parts of one text.
  void add_text(Json content) {
    Json& before = messages_.back()["content"];
    if (before.is_string() && before.get_ref<const std::string&>().empty()) return void(before = std::move(content));
    for (Json* const each : {&before, &content})
      if (each->is_string()) *each = Json::array({{{"type", "text"}, {"text", std::move(*each)}}});
    before.insert(before.end(), content.begin(), content.end());
  }

  void add_call(const Fields& item) {
    const std::string id = required_text(item, "call_id"), name = required_text(item, "name");
    if (!in_turn()) messages_.push_back({{"role", "assistant"}, {"content", ""}});
    messages_.back()["tool_calls"].push_back(
        {{"id", id},
         {"type", "function"},
         {"function", {{"name", name}, {"arguments", required_text(item, "arguments")}}}});
    names_[id] = name;
  }

  void add_result(const Fields& item) {
    const std::string id = required_text(item, "call_id");
    const Json* const output = item.find("output");
    if (output == nullptr || (!output->is_string() && !output->is_array()))
      refuse(item.path("output"), "\"{}\" must be a string or a list of parts", item.path("output"));
    Json message = {{"role", "tool"}, {"tool_call_id", id}};
    if (const auto name = names_.find(id); name != names_.end()) message["name"] = name->second;  // some templates ask
    message["content"] = output->is_string() ? *output : text_parts(*output, item.path("output"));
    messages_.push_back(std::move(message));
  }

  Json messages_;
  std::map<std::string, std::string> names_;  // of functions, by the ids of their calls
};

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
    prepare_message(message, path);
  }
  return read;
}

std::string text_before_answer(const Json& messages, bool begins) {
  const Json& last = messages.back();
  if (begins && last["role"] != "assistant") return {};
  const Json& content = last["content"];
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Json& part : content) {
    if (!text.empty()) text += '\n';
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

Json read_input(const Fields& fields) {
  const Json* const input = fields.find("input");
  const bool is_list = input != nullptr && input->is_array() && !input->empty();
  if (!is_list && (input == nullptr || !input->is_string()))
    refuse("input", R"("input" must be a string, or a list of items such as {{"role": "user", "content": "Hello"}})");
  Json messages = Json::array();
  if (const auto instructions = fields.text("instructions"); instructions && !instructions->empty())
    messages.push_back({{"role", "system"}, {"content", *instructions}});
  if (!is_list) messages.push_back({{"role", "user"}, {"content", *input}});
  InputReader reader(std::move(messages));
  for (std::size_t i = 0; is_list && i < input->size(); ++i) reader.add((*input)[i], fmt::format("input[{}]", i));
  return reader.take();
}

}  // namespace layerboost
