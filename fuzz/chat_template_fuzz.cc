// Any bytes: as a chat template, they render a conversation or are refused with an Error, in bounded time and memory.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "text/chat_template.h"

namespace {

using layerboost::ChatInput;
using layerboost::Json;

ChatInput conversation() {
  ChatInput input;
  input.messages = Json::parse(R"([
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Wie gro\u00df?"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
      "function": {"name": "f", "arguments": {"x": [1, 2.5, true, "a\nb"]}}}]},
    {"role": "tool", "content": "{\"y\": 3}"}])");
  input.tools = Json::parse(R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])");
  input.now = 0;
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ChatInput input = conversation();
  try {
    const layerboost::ChatTemplate chat(std::string_view(reinterpret_cast<const char*>(data), size), "<s>", "</s>");
    (void)chat.render(input);
  } catch (const layerboost::Error&) {  // refused, as it should be
  }
  return 0;
}
