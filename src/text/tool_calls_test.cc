#include "text/tool_calls.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/cpu_time_for_tests.h"
#include "base/file.h"
#include "base/random.h"

namespace layerboost {
namespace {

constexpr ToolFormat all_formats[] = {ToolFormat::hermes, ToolFormat::llama3, ToolFormat::mistral,
                                      ToolFormat::mistral_named};

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
  expect_calls(ToolFormat::hermes, "{\"name\": \"f\", \"arguments\": {}}", "{\"name\": \"f\", \"arguments\": {}}");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call>", " | f({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}, \"id\": \"}\"}</tool_call>",
               " | f({})");
}

TEST(ToolCalls, WhatFollowsABrokenOneIsRead) {
  const std::string g = "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  expect_calls(ToolFormat::hermes, "The <tool_call> tag: " + g, "The <tool_call> tag: | g({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": [1}</tool_call>" + g + "x",
               "x | f({\"a\": [1}) | g({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}}\n" + g + " x",
               " x | f({}) | g({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}} x", " x | f({})");
  expect_calls(ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool", " | f({})");
}

TEST(ToolCalls, AreTheSameInAnyPieces) {
  const std::vector<std::string> begins = {"<tool_call>{\"name\": \"f\", \"arguments\": ",
                                           "<tool_call>{\"arguments\": ",
                                           "{\"name\": \"f\", \"parameters\": ",
                                           "[{\"name\": \"f\", \"arguments\": ",
                                           "[TOOL_CALLS]f[ARGS]",
                                           "[TOOL_CALLS]f[CALL_ID]1[ARGS]",
                                           ""};
  const std::vector<std::string> parts = {"{\"x\": 1}",
                                          "}",
                                          "{",
                                          "]",
                                          "[",
                                          "\"",
                                          "\\",
                                          ",",
                                          ";",
                                          "<",
                                          " ",
                                          "\n",
                                          "a",
                                          ", \"name\": \"g\"}",
                                          "</tool_call>",
                                          "[ARGS]",
                                          "[CALL_ID]",
                                          "[TOOL_CALLS]",
                                          begins[0],
                                          begins[2],
                                          begins[4]};
  Random random(3);
  const auto one_of = [&](const std::vector<std::string>& texts) { return texts[random.below(texts.size())]; };
  for (int i = 0; i < 3000; ++i) {
    std::string text = one_of(begins);
    for (std::uint64_t count = random.below(12); count > 0; --count) text += one_of(parts);
    for (const ToolFormat format : all_formats) {
      for (const bool one_call : {false, true})
        EXPECT_EQ(read_calls(format, text, 1, one_call), read_calls(format, text, 1000, one_call)) << text;
    }
  }
}

// Nothing that a model may be made to write is looked at again and again.
TEST(ToolCalls, TakeTimeInProportionToTheText) {
  const std::string much(std::size_t{1} << 18, 'a'), spaces(std::size_t{1} << 18, ' ');
  const double plain = test::cpu_seconds([&] { (void)read_calls(ToolFormat::hermes, much, 4); }, 3);
  const std::pair<ToolFormat, std::string> cases[] = {
      {ToolFormat::hermes, "<tool_call>{\"name\": \"" + much},
      {ToolFormat::hermes, "<tool_call>{\"x\": \"" + much},
      {ToolFormat::hermes, "<tool_call>" + spaces},
      {ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"" + much},
      {ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}" + spaces},
      {ToolFormat::llama3, spaces},
      {ToolFormat::llama3, "{\"name\": \"f\", \"parameters\": {}}" + spaces},
      {ToolFormat::mistral, "[{\"name\": \"" + much},
      {ToolFormat::mistral_named, "[TOOL_CALLS]" + much},
      {ToolFormat::mistral_named, "[TOOL_CALLS]f[CALL_ID]" + spaces},
      {ToolFormat::mistral_named, "[TOOL_CALLS]f[ARGS]{\"a\": \"" + much}};
  for (const auto& one : cases) {
    const double taken = test::cpu_seconds([&] { (void)read_calls(one.first, one.second, 4); }, 3);
    EXPECT_LT(taken, 20 * plain) << one.second.substr(0, 60);
  }
}

TEST(ToolCalls, OfLlama3) {
  expect_calls(ToolFormat::llama3,
               "{\"name\": \"f\", \"parameters\": {\"x\": 1}}; {\"name\": \"g\", \"parameters\": {}}",
               " | f({\"x\": 1}) | g({})");
  expect_calls(ToolFormat::llama3, "{\"a\": 1} is JSON\n", "{\"a\": 1} is JSON\n");
  expect_calls(ToolFormat::llama3, " Hello ", " Hello ");
  expect_calls(ToolFormat::llama3, "{\"name\": \"f\", \"parameters\": {}}\nDone; really", "\nDone; really | f({})");
  expect_calls(ToolFormat::llama3, "{\"name\": \"f\", \"parameters\": {}}; so", "; so | f({})");
}

// A control token that opens calls is in the text where such are shown.
TEST(ToolCalls, MayBeOpened) {
  for (const char* const space : {"", " ", "\n\n"}) {
    const auto opened = [&](const char* opening, const char* rest) { return std::string(opening) + space + rest; };
    expect_calls(ToolFormat::llama3, opened("<|python_tag|>", "{\"name\": \"f\", \"parameters\": {}}"), " | f({})");
    expect_calls(ToolFormat::mistral, opened("[TOOL_CALLS]", "[{\"name\": \"f\", \"arguments\": {}}]"), " | f({})");
    for (const char* const rest : {"print(1)", "", "[TOOL_CALLS]", "[", "{\"name\": 1}"}) {
      const std::string code = opened("<|python_tag|>", rest), list = opened("[TOOL_CALLS]", rest);
      expect_calls(ToolFormat::llama3, code, code);
      expect_calls(ToolFormat::mistral, list, list);
    }
  }
  expect_calls(ToolFormat::mistral, "[TOOL_CAL", "[TOOL_CAL");
  expect_calls(ToolFormat::llama3, "<|python_tag", "<|python_tag");
}

TEST(ToolCalls, OfMistral) {
  expect_calls(ToolFormat::mistral,
               "[{\"name\": \"f\", \"arguments\": {\"x\": \",\"}}, {\"name\": \"g\", \"arguments\": {}}]",
               " | f({\"x\": \",\"}) | g({})");
  expect_calls(ToolFormat::mistral, "[1, 2]", "[1, 2]");
  expect_calls(ToolFormat::mistral, "[", "[");
  expect_calls(ToolFormat::mistral,
               "[{\"name\": \"f\", \"arguments\": {}, \"id\": \"a1,b\"}, {\"name\": \"g\", \"arguments\": {}}] Done",
               " Done | f({}) | g({})");
}

TEST(ToolCalls, OfMistralWithBareNames) {
  const auto expect = [](std::string_view text, const std::string& right, bool one_call = false) {
    expect_calls(ToolFormat::mistral_named, text, right, one_call);
  };
  const std::string two =
      "Let me see.\n[TOOL_CALLS]f[ARGS]{\"a\": \"}[TOOL_CALLS]\", \"b\": [[1]]}[TOOL_CALLS]g[ARGS]{}";
  expect(two, "Let me see. | f({\"a\": \"}[TOOL_CALLS]\", \"b\": [[1]]}) | g({})");
  expect(two, "Let me see. | f({\"a\": \"}[TOOL_CALLS]\", \"b\": [[1]]})", true);
  expect("[TOOL_CALLS]f[CALL_ID]a1B2c3D4e[ARGS]{\"x\": 1}\n[TOOL_CALLS] g [CALL_ID]2 [ARGS] {}",
         " | f({\"x\": 1}) | g({})");
  expect("[TOOL_CALLS]f[ARGS]{} Done", " Done | f({})");
  expect("[TOOL_CALLS]f[ARGS]{\"a\": ", " | f({\"a\": )");
  expect("[TOOL_CALLS]f[ARGS]{\"a\": [", " | f({\"a\": [)");
  expect("[TOOL_CALLS]f[ARGS]{\"a\": [1}[TOOL_CALLS]g[ARGS]{}", " | f({\"a\": [1}) | g({})");
  for (const char* const text :
       {"a [TOOL_CAL b\n", "a [TOOL_CALLS", "[TOOL_CALLS]", "[TOOL_CALLS]f", "[TOOL_CALLS]f[CALL_ID]1",
        "[TOOL_CALLS]f[ARGS]", "[TOOL_CALLS]f[ARGS]1", "[TOOL_CALLS][ARGS]{}", "[TOOL_CALLS]f{}",
        "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}]", "[TOOL_CALLS]f[CALL_ID]1[CALL_ID]2[ARGS]{}", "f[ARGS]{}",
        "[TOOL_CALLS]I'll ask now.\n[ARGS]{}", "[TOOL_CALLS]{\"name\": \"f\", \"arguments\": {\"a\": \"[ARGS]{}\"}}",
        "{\"name\": \"f\", \"arguments\": {}}"})
    expect(text, text);
  expect("The [TOOL_CALLS] tag:[TOOL_CALLS]g[ARGS]{}", "The [TOOL_CALLS] tag: | g({})");
}

TEST(ToolCalls, FormsAreToldByTemplates) {
  const auto form_in = [](const char* name) {
    const std::string file = fmt::format("{}/src/text/testdata/chat/{}.jinja", LAYERBOOST_SOURCE_DIR, name);
    return tool_format_of(read_file(file));
  };
  for (const char* const name : {"Qwen2.5", "Qwen3", "Hermes-2-Pro-tools", "SmolLM2", "ChatML"})
    EXPECT_EQ(form_in(name), ToolFormat::hermes) << name;
  for (const char* const name : {"Llama-3.1", "Llama-3.2"}) EXPECT_EQ(form_in(name), ToolFormat::llama3) << name;
  EXPECT_EQ(form_in("Mistral-Nemo"), ToolFormat::mistral);
  EXPECT_EQ(form_in("Mistral-Small-3.2"), ToolFormat::mistral_named);
  for (const char* const name : {"Qwen3-Coder", "GLM-4.6", "ChatGLM4", "DeepSeek-V3.1", "Kimi-K2", "LFM2-8B-A1B",
                                 "gpt-oss", "granite-3.0", "granite-3.3"})
    EXPECT_EQ(form_in(name), std::nullopt) << name;
  EXPECT_EQ(tool_format_of("{{ '<tool_call>' }}"), ToolFormat::hermes);
  EXPECT_EQ(tool_format_of("{{ '[TOOL_CALLS]' }}"), ToolFormat::mistral);
  EXPECT_EQ(tool_format_of("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}"), ToolFormat::mistral_named);
  EXPECT_EQ(tool_format_of("{{ name + '[ARGS]' }}"), std::nullopt);
  EXPECT_EQ(tool_format_of("{{ '<|python_tag|>' }}"), ToolFormat::llama3);
  EXPECT_EQ(tool_format_of("{{ messages }}"), ToolFormat::hermes);
  EXPECT_EQ(tool_format_of("<tool_call>\n<function=f>"), std::nullopt);
  EXPECT_EQ(tool_format_of("{{ tools | tojson }}"), ToolFormat::hermes);
  EXPECT_TRUE(tells_of_tools("{{ tools | tojson }}"));
  EXPECT_FALSE(tells_of_tools("{{ messages }}"));
}

}  // namespace
}  // namespace layerboost
