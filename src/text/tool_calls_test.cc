#include "text/tool_calls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace layerboost {
namespace {

/// "content | name(arguments) | ..." of a text that comes in pieces of so many bytes.
std::string read_calls(ToolFormat format, std::string_view text, std::size_t size, bool one_call = false) {
  ToolCallReader reader(format, one_call);
  std::string content;
  std::vector<std::pair<std::string, std::string>> calls;
  const auto take = [&](const ToolText& piece) {
    content += piece.content;
    for (const ToolText::Piece& part : piece.pieces) {
      const auto index = static_cast<std::size_t>(part.call);
      EXPECT_EQ(!part.name.empty(), index == calls.size());
      if (index >= calls.size()) calls.resize(index + 1);
      calls[index].first += part.name;
      calls[index].second += part.arguments;
    }
  };
  for (std::size_t at = 0; at < text.size(); at += size) take(reader.push(text.substr(at, size)));
  take(reader.finish());
  EXPECT_EQ(reader.calls(), static_cast<int>(calls.size()));
  for (const auto& [name, arguments] : calls) content += " | " + name + "(" + arguments + ")";
  return content;
}

void expect_calls(ToolFormat format, std::string_view text, const std::string& right, bool one_call = false) {
  for (const std::size_t size : {1U, 2U, 3U, 7U, 1000U})
    EXPECT_EQ(read_calls(format, text, size, one_call), right) << size;
}

TEST(ToolCalls, OfHermesAndQwen) {
  const std::string two =
      "Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}</tool_call>\\\"{\", \"b\": [1]}}\n"
      "</tool_call>\n<tool_call>\n{\"name\":\"g\",\"parameters\":{}}\n</tool_call>";
  expect_calls(ToolFormat::hermes, two, "Let me see. | f({\"a\": \"}</tool_call>\\\"{\", \"b\": [1]}) | g({})");
  expect_calls(ToolFormat::hermes, two, "Let me see. | f({\"a\": \"}</tool_call>\\\"{\", \"b\": [1]})", true);
  expect_calls(ToolFormat::hermes, "a <tool_cal> b\n", "a <tool_cal> b\n");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"f\"}</tool_call>",
               " | f({\"a\":1})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": \"{}\"}</tool_call>", " | f({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}", " | f({\"a\": 1})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": ", " | f({\"a\": )");
  expect_calls(ToolFormat::hermes, "<tool_call>nothing</tool_call> x", "<tool_call>nothing</tool_call> x");
  expect_calls(ToolFormat::hermes, "x <tool_call>{\"na", "x <tool_call>{\"na");
}

TEST(ToolCalls, OfLlama3) {
  expect_calls(ToolFormat::llama3,
               "{\"name\": \"f\", \"parameters\": {\"x\": 1}}; {\"name\": \"g\", \"parameters\": {}}",
               " | f({\"x\": 1}) | g({})");
  expect_calls(ToolFormat::llama3, "{\"a\": 1} is JSON\n", "{\"a\": 1} is JSON\n");
  expect_calls(ToolFormat::llama3, " Hello ", " Hello ");
}

TEST(ToolCalls, OfMistral) {
  expect_calls(ToolFormat::mistral,
               "[{\"name\": \"f\", \"arguments\": {\"x\": \",\"}}, {\"name\": \"g\", \"arguments\": {}}]",
               " | f({\"x\": \",\"}) | g({})");
  expect_calls(ToolFormat::mistral, "[1, 2]", "[1, 2]");
  expect_calls(ToolFormat::mistral, "[", "[");
}

TEST(ToolCalls, FormsAreToldByTemplates) {
  EXPECT_EQ(tool_format_of("{{ '<tool_call>' }}"), ToolFormat::hermes);
  EXPECT_EQ(tool_format_of("{{ '[TOOL_CALLS]' }}"), ToolFormat::mistral);
  EXPECT_EQ(tool_format_of("{{ '<|python_tag|>' }}"), ToolFormat::llama3);
  EXPECT_EQ(tool_format_of("{{ messages }}"), ToolFormat::hermes);
  EXPECT_EQ(tool_format_of("<tool_call>\n<function=f>"), std::nullopt);
}

}  // namespace
}  // namespace layerboost
