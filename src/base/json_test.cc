#include "base/json.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/cpu_time_for_tests.h"
#include "base/error_for_tests.h"

namespace layerboost {
namespace {

using test::error_of;
using testing::HasSubstr;

std::string list_of(std::size_t count, const std::string& item) {
  std::string text = "[" + item;
  for (std::size_t i = 1; i < count; ++i) text += "," + item;
  return text + "]";
}

std::string object_of(int keys) {
  std::string text = R"({"0":0)";
  for (int key = 1; key < keys; ++key) text += fmt::format(R"(,"{}":{})", key, key);
  return text + "}";
}

TEST(Json, IsReadAsTheLibraryReadsIt) {
  const std::string text = R"({"b":[1,-2,3.5,true,null,"é\n\u00e9"],"a":{"z":{},"y":[]},"":18446744073709551615})";
  EXPECT_EQ(parse_json(text, "f"), Json::parse(text));
  EXPECT_EQ(parse_json(text, "f").dump(), Json::parse(text).dump());  // keys in their order
  EXPECT_EQ(parse_sorted_json(text, "f"), SortedJson::parse(text));
  for (const char* plain : {"1", "\"a\"", "null", "[]", "{}"}) EXPECT_EQ(parse_json(plain, "f"), Json::parse(plain));
}

TEST(Json, WhatIsNotJsonIsRefusedWithItsPlace) {
  EXPECT_EQ(error_of([] { parse_json("{\"a\":}", "f"); }), "f: not valid JSON at byte 6");
  for (const char* text : {"", "{", "[1,]", "nan", "[1] 2", "\"\xff\"", "1e999", "{1:2}"})
    EXPECT_THAT(error_of([&] { parse_json(text, "f"); }), HasSubstr("f: not valid JSON at byte")) << text;
  EXPECT_EQ(error_of([] { parse_json(std::string_view("{}\0 more", 8), "f"); }), "f: not valid JSON at byte 3");
}

TEST(Json, NestsNotDeeperThanTheRuleSays) {
  EXPECT_EQ(parse_json("[[{}]]", "f", {.deepest = 3}).size(), 1U);
  EXPECT_EQ(error_of([] { parse_json("[[{}]]", "f", {.deepest = 2}); }), "f: JSON nested deeper than 2");
  EXPECT_EQ(error_of([] { parse_json(std::string(1 << 20, '['), "f"); }), "f: JSON nested deeper than 64");
}

TEST(Json, KeysAreCountedInEachObjectByItself) {
  EXPECT_EQ(parse_json(R"([{"a":{"b":0},"c":0},{"a":0,"b":0}])", "f", {.most_keys = 2}).size(), 2U);
  EXPECT_EQ(error_of([] { parse_json(R"({"a":0,"b":0,"c":0})", "f", {.most_keys = 2}); }),
            "f: an object has more than 2 keys");
}

TEST(Json, OfAKeyTwiceTheLastCountsOrItIsRefused) {
  const std::string text = R"({"b":1,"a":2,"b":{"c":0},"d":4,"b":5})";
  EXPECT_EQ(parse_json(text, "f").dump(), R"({"b":5,"a":2,"d":4})");
  EXPECT_EQ(parse_sorted_json(text, "f").dump(), R"({"a":2,"b":5,"d":4})");
  EXPECT_EQ(error_of([&] { parse_json("[" + text + "]", "f", {.keys_once = true}); }),
            "f: the key \"b\" appears twice");
}

TEST(Json, NumbersThatAreNotFiniteAreReadWhereTheRuleSaysSo) {
  const std::string text =
      R"({"a":[NaN,-Infinity, 1.5],"b":Infinity,"c":"NaN\\\"Infinity","d":0e0,"e":0e000000,"f":2e1,)"
      R"("g":false,"h":"\\","i":NaN})";
  const SortedJson json = parse_sorted_json(text, "f", {.not_finite = true});
  EXPECT_TRUE(std::isnan(json["a"][0].get<double>()));
  EXPECT_EQ(json["a"][1].get<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(json["a"][2].get<double>(), 1.5);
  EXPECT_EQ(json["b"].get<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(json["c"], "NaN\\\"Infinity");
  EXPECT_EQ(json["d"].get<double>(), 0);
  EXPECT_EQ(json["e"].get<double>(), 0);
  EXPECT_EQ(json["f"].get<double>(), 20);
  EXPECT_EQ(json["g"], false);
  EXPECT_TRUE(std::isnan(json["i"].get<double>()));
  EXPECT_THAT(error_of([&] { (void)parse_sorted_json(text, "f"); }), testing::HasSubstr("f: not valid JSON at byte"));
  for (const std::string wrong : {"[NaNs]", "[1NaN]", "[Infinity2]", "[+Infinity]", "[nan]", "{NaN:1}", "[- Infinity]",
                                  "[NaN NaN]", "[\"a", "[\"a\\", "[NaNInfinity]"}) {
    EXPECT_THAT(error_of([&] { (void)parse_sorted_json(wrong, "f", {.not_finite = true}); }),
                testing::HasSubstr("f: not valid JSON at byte"))
        << wrong;
  }
}

// Of 16 times as many, 16 times the time and some for caches; 256 times where each one looks through all before it.
TEST(Json, ManyObjectsAndManyKeysTakeTimeInProportion) {
  const auto growth = [](const auto& text_of, const auto& parse) {
    const std::string few = text_of(5'000), many = text_of(80'000);
    EXPECT_EQ(parse(many).size(), 80'000U);
    return test::cpu_seconds([&] { parse(many); }, 2) / test::cpu_seconds([&] { parse(few); }, 5);
  };
  const auto parsed = [](const std::string& text) { return parse_json(text, "f"); };
  const auto sorted = [](const std::string& text) { return parse_sorted_json(text, "f"); };
  const auto objects = [](int count) { return list_of(static_cast<std::size_t>(count), "{}"); };
  EXPECT_LT(growth(objects, parsed), 64);
  EXPECT_LT(growth(objects, sorted), 64);
  EXPECT_LT(growth(object_of, parsed), 64);
  EXPECT_LT(growth(object_of, sorted), 64);
  EXPECT_EQ(parse_json(list_of(200, object_of(1024)), "f").size(), 200U);
}

TEST(Json, ValuesAreTakenUnchangedOrRefused) {
  const Json json = parse_json(
      R"({"one":1,"true":true,"half":0.5,"wide":4294967297,"huge":18446744073709551615,"list":[1,4294967297]})", "f");
  const auto as_int = [&](const char* key) { return error_of([&] { get<int>(json, key, "f"); }); };
  EXPECT_EQ(get<int>(json, "one", "f"), 1);
  EXPECT_EQ(get<std::int64_t>(json, "wide", "f"), 4294967297);
  EXPECT_EQ(get<std::uint64_t>(json, "huge", "f"), 18446744073709551615U);
  EXPECT_EQ(as_int("wide"), "f: \"wide\" is out of range: 4294967297");
  EXPECT_EQ(as_int("true"), "f: \"true\" has the wrong type: true");
  EXPECT_EQ(as_int("half"), "f: \"half\" has the wrong type: 0.5");
  EXPECT_EQ(error_of([&] { get<std::int64_t>(json, "huge", "f"); }),
            "f: \"huge\" is out of range: 18446744073709551615");
  EXPECT_EQ(error_of([&] { get<std::vector<int>>(json, "list", "f"); }), "f: \"list\" is out of range: [1,4294967297]");
  EXPECT_EQ(error_of([&] { get<double>(json, "true", "f"); }), "f: \"true\" has the wrong type: true");
  EXPECT_EQ(error_of([&] { get<bool>(json, "one", "f"); }), "f: \"one\" has the wrong type: 1");
  EXPECT_EQ(error_of([&] { get_or<int>(json, "wide", 3, "f"); }), "f: \"wide\" is out of range: 4294967297");
  EXPECT_EQ(get_or<int>(json, "none", 3, "f"), 3);
}

TEST(Json, AFormatsVersionIsThatInteger) {
  const auto checked = [](const char* version) {
    const Json json = parse_json(fmt::format(R"({{"format":"x","version":{}}})", version), "f");
    return error_of([&] { check_format(json, "x", 1, "f"); });
  };
  EXPECT_EQ(checked("1"), "no error");
  for (const char* version : {"2", "true", "1.0", "4294967297", "\"1\"", "null"})
    EXPECT_THAT(checked(version), HasSubstr("this program reads version 1")) << version;
  EXPECT_EQ(error_of([] {
              check_format(Json{{"format", "a\nb"}, {"version", 1}}, "x", 1, "f");
            }),
            "f: \"format\" is \"a\\x0ab\"; expected \"x\"");
}

}  // namespace
}  // namespace layerboost
