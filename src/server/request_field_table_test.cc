// The table is sound, and docs/fields.md is what is made of it.
#include "server/request_field_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/file.h"
#include "base/json.h"

namespace layerboost {
namespace {

constexpr std::pair<Endpoint, const char*> endpoints[] = {
    {Endpoint::completions, "completions"}, {Endpoint::chat, "chat"},         {Endpoint::responses, "responses"},
    {Endpoint::embeddings, "embeddings"},   {Endpoint::tokenize, "tokenize"}, {Endpoint::detokenize, "detokenize"}};

bool is_of(const RequestField& field, Endpoint endpoint) { return (field.endpoints & static_cast<int>(endpoint)) != 0; }

std::string path_of(const RequestField& field) {
  return fmt::format("{}{}{}", field.object, field.object.empty() ? "" : ".", field.name);
}

std::string where(const RequestField& field) {
  std::string names;
  std::size_t count = 0;
  for (const auto& [endpoint, name] : endpoints) {
    if (!is_of(field, endpoint)) continue;
    names += (names.empty() ? "" : ", ") + std::string(name);
    ++count;
  }
  return count == std::size(endpoints) ? "all" : names;
}

std::string values_that_pass(const RequestField& field) {
  if (field.neutral.empty()) return "";
  std::string values;
  for (const Json& value : Json::parse(field.neutral)) values += fmt::format(" `{}`", value.dump());
  return values.empty() ? " `null`" : values;
}

const std::string command = "LAYERBOOST_WRITE_DOCS=1 build/release/server_test --gtest_filter='RequestFieldTable.*'";

std::string page() {
  std::string text =
      R"(# Fields of requests

What [the server](serving.md#fields-of-a-request) makes of each field, whose it is, and which
addresses take it: `/v1/completions`, `/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`,
`/tokenize`, `/detokenize`. A name with a dot is that of a field within an object.

This page is made from [a table in the code](../src/server/request_field_table.cc), by
`)" + command +
      "`.\n";
  const auto section = [&](Use use, std::string_view heading, std::string_view columns) {
    text += heading;
    text += columns;
    for (const RequestField& field : request_field_table()) {
      if (field.use != use) continue;
      text += fmt::format("| `{}` | {} | {} | {}{}{} |", path_of(field), field.from, where(field), field.does,
                          field.advice.empty() ? "" : "; ", field.advice);
      text += use == Use::neutral ? values_that_pass(field) + " |\n" : "\n";
    }
  };
  const std::string_view columns = "\n| field | of | where | |\n|---|---|---|---|\n";
  section(Use::effect, "\n## With effect\n", columns);
  section(Use::harmless, "\n## Without effect\nNothing that answers have here depends on these, whatever they say.\n",
          columns);
  section(Use::neutral,
          "\n## Not supported\nThese are refused unless they ask for nothing: `null` and what the last column has, or, "
          "where that\nis empty, `false`, `\"\"`, `[]` and `{}`.\n",
          "\n| field | of | where | what it would be | passes |\n|---|---|---|---|---|\n");
  return text;
}

TEST(RequestFieldTable, ThePageIsMadeOfIt) {
  const std::string path = LAYERBOOST_SOURCE_DIR "/docs/fields.md";
  if (std::getenv("LAYERBOOST_WRITE_DOCS") != nullptr) write_file(path, page());
  EXPECT_EQ(read_file(path), page()) << "what is made of the table is another; write it anew: " << command;
}

TEST(RequestFieldTable, AFieldHasOneMeaningAtAnAddress) {
  for (const auto& [endpoint, name] : endpoints) {
    std::set<std::string> paths;
    for (const RequestField& field : request_field_table())
      EXPECT_TRUE(!is_of(field, endpoint) || paths.insert(path_of(field)).second) << name << " " << path_of(field);
    for (const RequestField& field : request_field_table())
      EXPECT_TRUE(!is_of(field, endpoint) || field.object.empty() || paths.contains(std::string(field.object)))
          << name << " " << path_of(field);
  }
}

/// The first name in backticks of an advice; "": it has none but of a value.
std::string_view named_in(std::string_view advice) {
  const std::size_t begin = advice.find('`');
  return begin == std::string_view::npos ? "" : advice.substr(begin + 1, advice.find('`', begin + 1) - begin - 1);
}

TEST(RequestFieldTable, WhatIsAdvisedCanBeHad) {
  for (const RequestField& refused : request_field_table()) {
    const std::string_view name = refused.advice.empty() ? "" : named_in(refused.advice);
    for (const auto& [endpoint, where] : endpoints) {
      if (name.empty() || !is_of(refused, endpoint)) continue;
      EXPECT_TRUE(std::ranges::any_of(request_field_table(),
                                      [&, at = endpoint](const RequestField& field) {
                                        return field.name == name && field.use == Use::effect && is_of(field, at);
                                      }))
          << refused.name << " " << where;
    }
  }
}

TEST(RequestFieldTable, ItsTextsAreWhole) {
  for (const RequestField& field : request_field_table()) {
    EXPECT_FALSE(field.from.empty() || field.does.empty()) << field.name;
    EXPECT_EQ(field.does.find_first_of("|\n"), std::string_view::npos) << field.name;
    for (const char* const neighbour : {" it", " then", " above", " below"})
      EXPECT_FALSE(field.does.ends_with(neighbour)) << field.name << ": a row is read by itself";
    EXPECT_TRUE(field.neutral.empty() || Json::parse(field.neutral).is_array()) << field.name;
    EXPECT_TRUE((field.neutral.empty() && field.advice.empty()) || field.use == Use::neutral) << field.name;
  }
}

}  // namespace
}  // namespace layerboost
