// Any text as an answer with calls of tools in it: taken apart the same in one piece and in pieces of few bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/tool_calls.h"

namespace layerboost {
namespace {

struct Taken {
  std::string content, calls;
  bool operator==(const Taken&) const = default;
};

Taken take_apart(ToolFormat format, bool one_call, std::string_view text, std::size_t size) {
  ToolCallReader reader(format, one_call);
  Taken taken;
  int calls = 0;
  const auto take = [&](const ToolText& new_text) {
    taken.content += new_text.content;
    for (const ToolText::Piece& piece : new_text.pieces) {
      LB_CHECK(piece.call == (piece.name.empty() ? calls - 1 : calls));
      if (!piece.name.empty()) {
        ++calls;
        taken.calls += '\0' + piece.name + '\0';
      }
      taken.calls += piece.arguments;
    }
  };
  for (std::size_t at = 0; at < text.size(); at += size) take(reader.push(text.substr(at, size)));
  take(reader.finish());
  LB_CHECK(reader.calls() == calls && (!one_call || calls <= 1));
  return taken;
}

}  // namespace
}  // namespace layerboost

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using layerboost::ToolFormat;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const ToolFormat format :
       {ToolFormat::hermes, ToolFormat::llama3, ToolFormat::mistral, ToolFormat::mistral_named}) {
    for (const bool one_call : {false, true}) {
      const auto whole = layerboost::take_apart(format, one_call, text, size + 1);
      for (const std::size_t piece : {1, 3, 16})
        LB_CHECK(layerboost::take_apart(format, one_call, text, piece) == whole);
    }
  }
  return 0;
}
