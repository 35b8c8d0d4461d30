// Any bytes as the body of a request: read, or refused with an ApiError.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "eval/tokenizer_for_tests.h"
#include "server/api_error.h"
#include "server/api_request.h"

namespace layerboost {
namespace {

template <typename Read>
void read_or_refuse(Read read) {
  try {
    read();
  } catch (const ApiError& error) {
    LB_CHECK(error.answer().status >= 400 && !error.answer().body.empty());
  }
}

void read_body(std::string_view body) {
  static const Tokenizer tokenizer(tokenizer_data_for_tests());
  static const ChatTemplate chat(
      "{% if tools %}<tool_call>{{ tools | tojson }}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
      "{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor "
      "%}",
      "<s>", "</s>");
  static const ApiReader reader = [] {
    ApiReader made{tokenizer, &chat, {"model"}, {}};
    made.limits.positions = 4096;
    made.level_positions.assign(4, 4096);
    return made;
  }();
  read_or_refuse([&] {
    const ApiRequest request = reader.completion(body);
    LB_CHECK(!request.prompts.empty() && !request.prompts[0].tokens.empty() && request.settings.max_tokens <= 4096);
  });
  read_or_refuse([&] {
    const ApiRequest request = reader.chat_completion(body);
    LB_CHECK(request.prompts.size() == 1 && !request.prompts[0].tokens.empty() && request.choices >= 1);
  });
  read_or_refuse([&] {
    const auto level = reader.completion(R"({"prompt": "a"})", std::string(body)).settings.plan;
    LB_CHECK(level && *level >= 0 && *level <= 3);
  });
  read_or_refuse([&] {
    const ApiRequest request = reader.response(body);
    LB_CHECK(request.prompts.size() == 1 && !request.prompts[0].tokens.empty());
    LB_CHECK(Json::accept("{" + request.repeated + "}"));
  });
  read_or_refuse([&] {
    const ApiRequest request = reader.embedding(body);
    LB_CHECK(!request.prompts.empty() && request.settings.embedding && request.settings.max_tokens == 0);
    for (const ApiPrompt& prompt : request.prompts) LB_CHECK(!prompt.tokens.empty());
  });
  read_or_refuse([&] { (void)reader.tokenize(body); });
  read_or_refuse([&] { (void)reader.detokenize(body); });
}

}  // namespace
}  // namespace layerboost

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerboost::read_body({reinterpret_cast<const char*>(data), size});
  return 0;
}
