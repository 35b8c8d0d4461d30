#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/random.h"
#include "grammar/constraint.h"
#include "grammar/grammar_for_tests.h"
#include "grammar/random_schema_for_tests.h"
#include "grammar/schema_check_for_tests.h"
#include "text/testing.h"

namespace layerboost {
namespace {

using test::error_of;
using testing::HasSubstr;

/// Whether each of `right` fits and none of `wrong` does.
void expect_fits(const char* schema, const std::vector<std::string>& right, const std::vector<std::string>& wrong) {
  Automaton automaton(test::schema_grammar(Json::parse(schema)));
  for (const std::string& text : right) EXPECT_TRUE(test::fits(automaton, text)) << schema << "  " << text;
  for (const std::string& text : wrong) EXPECT_FALSE(test::fits(automaton, text)) << schema << "  " << text;
}

TEST(JsonSchema, Types) {
  expect_fits("{}", {"null", "[1, {\"a\":[]}]", "\"\xC3\xA4\\u00e4\\ud83d\\ude00\"", "-1.5e-3", "{\n  \"a\": 1\n}"},
              {"", "nul", "[1,]", "\"\\ud83d\"", "\"\n\"", "01", "{a:1}", "\"\xC3\"", "{}x", " 1"});
  expect_fits(R"({"type": ["integer", "null"]})", {"0", "-12", "null"}, {"1.5", "\"a\"", "-", "00"});
  expect_fits(R"({"type": "object"})", {"{}", R"({"a": {"b": []}})"}, {"[]", "{\"a\"}"});
  expect_fits(R"({"type": "string"})", {R"("")", R"("\n\"")"}, {"1"});
  expect_fits("true", {"1"}, {"x"});
}

TEST(JsonSchema, Objects) {
  const char* const some = R"({"properties": {"a": {"type": "integer"}, "b": {"type": "null"}, "c": {"const": "x"}},
                               "required": ["b"]})";
  expect_fits(some, {R"({"a":1,"b":null,"c":"x"})", R"({"b": null})", R"({"b":null, "c":"x"})"},
              {"{}", R"({"a":1})", R"({"b":null,"a":1})", R"({"b":null,"d":1})", R"({"b":null,})", R"({,"b":null})"});
  expect_fits(
      R"({"properties": {"a": {"type": "null"}, "ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}})",
      {"{}", R"({"a":null,"b":1,"abc":2})", R"({"":1,"x":1})", R"({"ab":null})"},
      {R"({"a":1})", R"({"ab":1})", R"({"b":null})", R"({"\u0061":1})"});
  expect_fits(R"({"type": "object", "required": ["k"]})", {R"({"k": [1]})"}, {"{}"});
  expect_fits(R"({"type": "object", "properties": {}, "required": []})", {"{}", "{ }"}, {R"({"k":1})"});
  expect_fits(R"({"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}, "d": {"const": 4}},
                  "required": ["c"]})",
              {R"({"c":3})", R"({"a":1,"c":3,"d":4})", R"({"a":1,"b":2,"c":3})", R"({"b":2,"c":3})"},
              {R"({"a":1})", R"({"d":4})", R"({"c":3,"b":2})", R"({"a":1,"c":3,})", R"({"c":3,"c":3})"});
  expect_fits(R"({"type": "object", "maxProperties": 1, "additionalProperties": true})", {"{}", R"({"k":1})"},
              {R"({"k":1,"l":1})"});
}

// Other keys may come twice: no more than one is sure to be there.
TEST(JsonSchema, NumbersOfMembers) {
  expect_fits(R"({"minProperties": 1, "maxProperties": 2})", {R"({"k":1})", R"({"k":1,"l":[]})"},
              {"{}", R"({"k":1,"l":2,"m":3})", "1"});
  expect_fits(R"({"type": "object", "maxProperties": 0})", {"{}", "{ }"}, {R"({"k":1})"});
  expect_fits(R"({"type": "object", "minProperties": 1, "additionalProperties": {"type": "null"}})",
              {R"({"k":null,"l":null})"}, {"{}", R"({"k":1})"});
  expect_fits(R"({"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"], "minProperties": 1,
                  "maxProperties": 2})",
              {R"({"a":1,"b":2})", R"({"b":2})"}, {"{}", R"({"a":1})"});
  const auto refusal = [](const char* schema) {
    return error_of([&] { (void)test::schema_grammar(Json::parse(schema)); });
  };
  EXPECT_THAT(refusal(R"({"minProperties": 2})"), HasSubstr("\"minProperties\""));
  EXPECT_THAT(refusal(R"({"properties": {"a": true, "b": true}, "required": ["a"], "minProperties": 2})"),
              HasSubstr("\"minProperties\""));
  EXPECT_THAT(refusal(R"({"properties": {"a": true, "b": true}, "maxProperties": 1})"), HasSubstr("\"maxProperties\""));
  EXPECT_THAT(refusal(R"({"properties": {"a": true}, "additionalProperties": true, "maxProperties": 9})"),
              HasSubstr("\"maxProperties\""));
  EXPECT_THAT(refusal(R"({"minProperties": -1})"), HasSubstr("whole number"));
}

// Of keywords that aren't supported, what asks for nothing is.
TEST(JsonSchema, ValuesThatAskForNothing) {
  expect_fits(R"({"type": "array", "uniqueItems": false})", {"[1,1]"}, {"1"});
  expect_fits(R"({"type": "array", "uniqueItems": true, "maxItems": 1})", {"[1]"}, {"[1,1]"});
  expect_fits(R"({"type": "integer", "multipleOf": 1})", {"3"}, {"1.5"});
}

TEST(JsonSchema, Lists) {
  expect_fits(R"({"items": {"type": "boolean"}, "minItems": 1, "maxItems": 2})", {"[true]", "[true, false]"},
              {"[]", "[true,true,true]", "[1]"});
  expect_fits(R"({"prefixItems": [{"type": "null"}, {"type": "integer"}], "items": false})",
              {"[]", "[null]", "[null,1]"}, {"[1]", "[null,1,1]"});
  expect_fits(R"({"prefixItems": [{"type": "null"}], "items": {"type": "integer"}, "minItems": 2})",
              {"[null,1]", "[null,1,2,3]"}, {"[null]", "[null,null]"});
  expect_fits(R"({"type": "array", "maxItems": 0})", {"[]", "[ ]"}, {"[1]"});
}

TEST(JsonSchema, Texts) {
  expect_fits(R"({"type": "string", "minLength": 1, "maxLength": 2})",
              {R"("a")", R"("\n\u00e4")", "\"\xF0\x9F\x98\x80\xC3\xA4\""}, {R"("")", R"("abc")"});
  expect_fits(R"({"type": "string", "minLength": 2})", {R"("abc")"}, {R"("a")"});
  expect_fits(R"({"pattern": "^a\"?b+$"})", {R"("abb")", R"("a\"b")"}, {R"("xab")", R"("a"b")"});
  expect_fits(R"({"format": "date"})", {R"("2024-02-28")"},
              {R"("2024-02-30")", R"("2024-13-01")", R"("0000-01-01")"});  // Python knows no year 0
  // Names of hosts have at most 253 characters.
  const auto host = [](std::size_t label) {
    const std::string one(label, 'a');
    return "\"" + one + "." + one + "." + one + "." + one + "\"";
  };
  expect_fits(R"({"format": "hostname"})", {host(62)}, {host(63), R"("-a")", R"("a-")"});
  expect_fits(R"({"enum": ["a", "ab", 1, {"k": [1, null]}]})", {R"("a")", R"("ab")", "1", R"({"k": [1,null]})"},
              {R"("abc")", "2", R"({"k": [1]})"});
  expect_fits(R"({"enum": ["a", 1], "type": "string"})", {R"("a")"}, {"1"});
}

TEST(JsonSchema, Alternatives) {
  expect_fits(
      R"({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}], "$defs": {"n": {"minimum": 3, "type": "integer"}}})",
      {"null", "3"}, {"2"});
  expect_fits(R"({"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]})",
              {R"({"next": {"next": null}})"}, {R"({"next": {}})"});
  expect_fits(
      R"({"oneOf": [{"properties": {"t": {"const": 1}}, "required": ["t"]}, {"properties": {"t": {"const": 2}}, "required": ["t"]}]})",
      {R"({"t": 1})", R"({"t": 2})"}, {R"({"t": 3})"});
  expect_fits(R"({"allOf": [{"type": "null"}], "title": "t"})", {"null"}, {"1"});
}

// Of what is written exactly one alternative may be true.
TEST(JsonSchema, OneOfIsRefusedWhereTwoAlternativesMayFit) {
  const auto refusal = [](const std::string& alternatives) {
    return error_of([&] { (void)test::schema_grammar(Json::parse("{\"oneOf\": [" + alternatives + "]}")); });
  };
  const std::string one = R"("properties": {"t": {"const": 1}}, "required": ["t"]})";
  const std::string two = R"("properties": {"t": {"const": 2}}, "required": ["t"]})";
  const std::string object = R"({"type": "object", )", or_null = R"({"type": ["object", "null"], )";
  EXPECT_EQ(refusal(object + one + "," + object + two), "no error");
  EXPECT_EQ(refusal("{" + one + ",{" + two), "no error");
  EXPECT_EQ(refusal(or_null + one + "," + object + two), "no error");
  EXPECT_THAT(refusal(or_null + one + "," + or_null + two), HasSubstr("may both fit"));
  EXPECT_THAT(refusal(or_null + one + ",{" + two), HasSubstr("may both fit"));
  EXPECT_THAT(refusal(object + one + "," + object + one), HasSubstr("may both fit"));
  EXPECT_EQ(refusal(R"({"const": null}, {"type": "string"}, {"enum": [1, 2]}, {"enum": [3]})"), "no error");
  EXPECT_THAT(refusal(R"({"enum": [1, "a"]}, {"type": "string"})"), HasSubstr("may both fit"));
  EXPECT_THAT(refusal(R"({"enum": [1, 2]}, {"enum": [2.0]})"), HasSubstr("may both fit"));
  std::string many = R"({"const": 0})", lists[2];
  for (int i = 1; i < 9000; ++i) {
    many += fmt::format(R"(,{{"const": {}}})", i).substr(0, i < 400 ? 100 : 0);
    for (int k : {0, 1}) lists[k] += fmt::format("{}{}", i > 1 ? "," : "", 2 * i + k);
  }
  EXPECT_THAT(refusal(many), HasSubstr("more than 256 alternatives"));
  EXPECT_THAT(refusal("{\"enum\": [" + lists[0] + "]}, {\"enum\": [" + lists[1] + "]}"), HasSubstr("too many values"));
}

TEST(JsonSchema, BoundsOfManyDigits) {
  expect_fits(R"({"type": "integer", "exclusiveMaximum": 999999999999999999})", {"999999999999999998", "-1"},
              {"999999999999999999"});
  expect_fits(R"({"type": "integer", "maximum": 999999999999999950})", {"999999999999999950"},
              {"999999999999999951", "999999999999999999"});
  expect_fits(R"({"type": "integer", "minimum": -999999999999999990, "exclusiveMinimum": -999999999999999991})",
              {"-999999999999999990", "0"}, {"-999999999999999991"});
  expect_fits(R"({"type": "integer", "maximum": 18446744073709551615})", {"999999999999999999"}, {});
}

TEST(JsonSchema, Bounds) {
  Random random(5);
  const auto any = [&](int least, int most) {
    return least + static_cast<int>(random.below(static_cast<std::uint64_t>(most - least + 1)));
  };
  for (int i = 0; i < 200; ++i) {
    const bool integer = any(0, 1) == 0;
    const double scale = integer ? 1 : any(0, 1) == 0 ? 0.5 : 0.01;
    Json schema = {{"type", integer ? "integer" : "number"}};
    const int least = any(-120, 120), most = least + any(0, 130);
    const auto bound = [&](int steps) { return Json::parse(fmt::format("{:.2f}", steps * scale)); };
    if (any(0, 3) > 0) schema[any(0, 2) == 0 ? "exclusiveMinimum" : "minimum"] = bound(least);
    if (any(0, 3) > 0) schema[any(0, 2) == 0 && most > least + 1 ? "exclusiveMaximum" : "maximum"] = bound(most);
    if (integer && most - least < 2) schema.erase("exclusiveMinimum");
    if (schema.contains("exclusiveMinimum") && most == least) continue;
    Automaton automaton(test::schema_grammar(schema));
    for (int k = -260; k <= 260; ++k) {
      const std::string text = integer ? std::to_string(k) : fmt::format("{:.2f}", k * scale);
      EXPECT_EQ(test::fits(automaton, text), test::is_valid(Json::parse(text), schema, schema))
          << schema << " " << text;
    }
  }
}

TEST(JsonSchema, NamesWhatItDoesNotSupport) {
  const auto refusal = [](const char* schema) {
    return error_of([&] { (void)test::schema_grammar(Json::parse(schema)); });
  };
  for (const char* const keyword : {"not", "if", "patternProperties", "propertyNames", "dependentRequired", "contains",
                                    "unevaluatedItems", "frobnicate"})
    EXPECT_THAT(refusal(fmt::format(R"({{"properties": {{"a": {{"{}": {{}}}}}}}})", keyword).c_str()),
                testing::AllOf(HasSubstr(fmt::format("\"{}\"", keyword)), HasSubstr("/properties/a"),
                               HasSubstr("not supported")));
  EXPECT_THAT(refusal(R"({"type": "number", "multipleOf": 3})"), HasSubstr("\"multipleOf\""));
  EXPECT_THAT(refusal(R"({"type": "array", "uniqueItems": true})"), HasSubstr("\"uniqueItems\""));
  EXPECT_THAT(refusal(R"({"allOf": [true, {}]})"), HasSubstr("\"allOf\""));
  const char* const overlapping = R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})";
  EXPECT_THAT(refusal(overlapping), HasSubstr("\"oneOf\""));
  EXPECT_THAT(refusal(R"({"anyOf": [{}], "type": "string"})"), HasSubstr("beside \"anyOf\""));
  EXPECT_THAT(refusal(R"({"$ref": "http://x"})"), HasSubstr("\"$ref\""));
  EXPECT_THAT(refusal(R"({"$ref": "#/$defs/a"})"), HasSubstr("not there"));
  EXPECT_THAT(refusal(R"({"format": "idn-email"})"), HasSubstr("\"format\""));
  EXPECT_THAT(refusal(R"({"pattern": "a\\1"})"), HasSubstr("\"pattern\""));
  EXPECT_THAT(refusal(R"({"type": "text"})"), HasSubstr("\"type\""));
  EXPECT_THAT(refusal(R"({"minLength": -1})"), HasSubstr("\"minLength\""));
}

TEST(JsonSchema, RefusesWhatHasNoEndOrIsTooLarge) {
  const auto refusal = [](const char* schema) {
    return error_of([&] { (void)test::schema_grammar(Json::parse(schema)); });
  };
  EXPECT_THAT(refusal(R"({"$ref": "#"})"), HasSubstr("no text fits"));
  EXPECT_THAT(refusal(R"({"anyOf": [{"type": "null"}, {"$ref": "#"}]})"), HasSubstr("refers to itself"));
  EXPECT_THAT(refusal(R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})"), HasSubstr("no text fits"));
  EXPECT_THAT(refusal("false"), HasSubstr("no text fits"));
  EXPECT_THAT(refusal(R"({"type": "string", "minLength": 1000000})"), HasSubstr("too large"));
  const char* const many = R"({"maxItems": 100000, "items": {"maxLength": 100000, "type": "string"}})";
  EXPECT_THAT(refusal(many), HasSubstr("too large"));
  // What is there often is written once.
  Json often = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 400; ++i) {
    const Json kinds[] = {{{"format", "uri"}}, {{"pattern", "^[a-z]{300}$"}}, {{"type", "number"}, {"minimum", 0}}};
    often["properties"][std::to_string(i)] = kinds[i % 3];
  }
  EXPECT_EQ(error_of([&] { (void)test::schema_grammar(often); }), "no error");
  Json chain = {{"$defs", Json::object()}, {"$ref", "#/$defs/0"}};
  for (int i = 0; i < 900; ++i)
    chain["$defs"][std::to_string(i)] = {{"items", {{"$ref", fmt::format("#/$defs/{}", i + 1)}}}};
  chain["$defs"]["900"] = true;
  EXPECT_THAT(error_of([&] { (void)test::schema_grammar(chain); }), HasSubstr("too deep"));
}

/// What docs/structured.md says is supported: words in the table of keywords, and formats below it.
std::set<std::string> documented_keywords() {
  std::istringstream lines(read_file(fs::path(LAYERBOOST_SOURCE_DIR) / "docs/structured.md"));
  std::set<std::string> found;
  bool in_table = false;
  for (std::string line; std::getline(lines, line);) {
    in_table = line == "| | keywords |" || (in_table && line.starts_with('|'));
    const bool formats = line.starts_with("4. `");
    if (!in_table && !formats) continue;
    for (std::size_t begin = 0; (begin = line.find('`', begin)) != std::string::npos;) {
      const std::size_t end = line.find('`', begin + 1);
      found.insert((formats ? "format " : "") + line.substr(begin + 1, end - begin - 1));
      begin = end + 1;
    }
  }
  found.erase("x-");  // names may go on
  return found;
}

// Whatever is sampled of the tokens that are allowed, the text parses and is valid.
TEST(JsonSchema, WhatIsWrittenByRandomSchemasIsValid) {
  const Tokenizer tokenizer(small_tokenizer_data(
      {"\" :", "\" ,", "{ \"", "} }", "e r", "t r", "1 2", "n u", "nu l", "\xC3\x83 \xC2\xA4", "a b", "ab er"}));
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer, tokenizer.size());
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    test::RandomSchema maker(static_cast<std::uint64_t>(i));
    const Json schema = maker.make();
    test::add_keywords(schema, seen);
    Guide guide(std::make_shared<Constraint>(test::schema_grammar(schema), vocabulary));
    std::string text;
    for (int tokens = 0; tokens < 3000 && !guide.must_end(); ++tokens) {
      if (guide.may_end() && maker.any(4) == 0) break;
      const auto mask = guide.allowed();
      ASSERT_NE(mask, nullptr);
      std::vector<TokenId> allowed;
      for (TokenId token = 0; token < tokenizer.size(); ++token) {
        if (!is_in(*mask, token)) continue;
        allowed.push_back(token);
        if (tokens > 50 && (token == '"' || token == '}' || token == ']' || token == 'x' || token == 'n'))
          allowed.insert(allowed.end(), 200, token);
      }
      ASSERT_FALSE(allowed.empty()) << schema << "  " << text;
      const TokenId token = allowed[static_cast<std::size_t>(maker.any(static_cast<int>(allowed.size())))];
      ASSERT_TRUE(guide.allows(token));
      guide.see(token);
      text += tokenizer.bytes(token);
    }
    ASSERT_TRUE(guide.may_end()) << schema << "  " << text;
    Json written;
    ASSERT_NO_THROW(written = parse_json(text, "the text", {.keys_once = false})) << text;
    EXPECT_TRUE(test::is_valid(written, schema, schema)) << schema << "  " << text;
  }
  for (const std::string& keyword : documented_keywords()) EXPECT_TRUE(seen.contains(keyword)) << keyword;
}

}  // namespace
}  // namespace layerboost
