// For tests: schemas of all that docs/structured.md says is supported, at random. Some text fits each of them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/random.h"

namespace layerboost::test {

class RandomSchema {
 public:
  explicit RandomSchema(std::uint64_t seed) : random_(seed) {}

  Json make() {
    defs_ = below_ = any(3);
    Json schema = value(0, Where::root);
    if (!schema.is_object()) schema = {{"anyOf", Json::array({schema})}};
    schema["$defs"] = Json::object();
    for (int i = 0; i < defs_; ++i) {
      below_ = i;
      schema["$defs"][std::to_string(i)] = value(2, Where::root);
    }
    return schema;
  }
  int any(int count) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(count))); }

 private:
  /// A part within an object or a list may be of a schema that it is itself a part of; others would have no end.
  enum class Where { root, within };

  Json value(int depth, Where where) {
    Json schema = plain_value(depth, where);
    if (schema.is_object() && any(8) == 0)
      schema[one_of({"title", "description", "default", "examples", "x-note"})] = 1;
    return schema;
  }

  Json plain_value(int depth, Where where) {
    switch (any(depth > 3 ? 8 : 14)) {
      case 0:
        return text();
      case 1:
        return number();
      case 2:
        return given();
      case 3:
        return of_types();
      case 4:
        return {{"type", "string"}, {"pattern", one_of({"^[a-f0-9]{2,8}$", "x+[^y]"})}};
      case 5:
        return {
            {"type", "string"},
            {"format", one_of({"date", "time", "date-time", "duration", "uuid", "ipv4", "hostname", "email", "uri"})}};
      case 6:
        return below_ > 0 ? to_definition(any(below_)) : Json(true);
      case 7:
        return where == Where::within ? recursion() : Json{{"type", "null"}};
      case 8:
        return list(depth);
      case 9:
        return {{"anyOf", Json::array({value(depth + 1, where), value(depth + 1, where)})}};
      case 10:
        return {{"oneOf", apart(depth, where)}};
      case 11:
        return {{"allOf", Json::array({value(depth + 1, where)})}};
      case 12:
        return free_object(depth);
      default:
        return object(depth);
    }
  }

  std::string one_of(const std::vector<std::string>& texts) {
    return texts[static_cast<std::size_t>(any(static_cast<int>(texts.size())))];
  }

  static Json to_definition(int index) { return {{"$ref", fmt::format("#/$defs/{}", index)}}; }

  /// Also to what isn't made yet.
  Json recursion() {
    const Json itself = defs_ > 0 && any(2) == 0 ? to_definition(any(defs_)) : Json{{"$ref", "#"}};
    return {{"anyOf", Json::array({{{"type", "null"}}, itself})}};
  }

  Json text() {
    Json schema = {{"type", "string"}, {"minLength", any(3)}};
    if (any(2) == 0) schema["maxLength"] = 3 + any(20);
    return schema;
  }

  Json number() {
    Json schema = {{"type", any(2) == 0 ? "integer" : "number"}};
    const int least = any(300) - 150;
    if (any(2) == 0) schema[any(2) == 0 ? "minimum" : "exclusiveMinimum"] = least;
    if (any(2) == 0) schema[any(2) == 0 ? "maximum" : "exclusiveMaximum"] = least + 2 + any(200);
    if (schema["type"] == "integer" && any(4) == 0) schema["multipleOf"] = 1;
    return schema;
  }

  Json given() {
    const Json values[] = {"red",
                           "re\"d",
                           3,
                           nullptr,
                           -1.5,
                           true,
                           Json::parse(R"({"b": [1, {}], "a": ""})"),
                           Json::array({1, Json::array()})};
    if (any(2) == 0) return {{"const", values[any(8)]}};
    Json schema = {{"enum", Json::array({"rot"})}};
    for (const Json& each : values)
      if (any(3) == 0) schema["enum"].push_back(each);
    if (any(3) == 0) schema["type"] = Json::array({"string", "array"});
    return schema;
  }

  /// Several types, named or told by the keywords.
  Json of_types() {
    Json schema = Json::object();
    if (any(2) == 0) schema["minimum"] = any(10);
    if (any(2) == 0) schema["maxLength"] = any(5);
    if (any(2) == 0) schema["maxItems"] = any(3);
    if (any(2) == 0) schema["maxProperties"] = any(3);
    if (any(2) == 0)
      schema["type"] = Json::array({"boolean", "null", one_of({"integer", "string", "array", "object"})});
    return schema;
  }

  Json list(int depth) {
    Json schema = {{"type", "array"}, {"minItems", any(3)}, {"maxItems", 3 + any(3)}};
    if (any(4) > 0) schema["items"] = value(depth + 1, Where::within);
    if (any(3) == 0) {
      schema["prefixItems"] = Json::array();
      for (int i = any(3); i >= 0; --i) schema["prefixItems"].push_back(value(depth + 1, Where::within));
      if (any(2) == 0) schema["items"] = false;
      if (any(2) == 0) schema.erase("maxItems");
      schema["minItems"] = std::min(any(3), static_cast<int>(schema["prefixItems"].size()));
    }
    if (any(4) == 0) schema["uniqueItems"] = false;
    return schema;
  }

  Json object(int depth) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
    for (const char* const name : {"a", "ab", "n\xC3\xA4me", "q\"uote"}) {
      if (any(3) == 0) continue;
      schema["properties"][name] = value(depth + 1, Where::within);
      if (any(2) == 0)
        schema["required"].push_back(name);
      else if (any(8) == 0)
        schema["properties"][name] = false;
    }
    if (any(4) == 0) schema["minProperties"] = any(static_cast<int>(schema["required"].size()) + 1);
    if (any(4) == 0) schema["maxProperties"] = schema["properties"].size() + static_cast<std::size_t>(any(2));
    if (any(3) == 0)
      schema["additionalProperties"] =
          any(2) == 0 || schema.contains("maxProperties") ? Json(false) : value(depth + 1, Where::within);
    if (schema.value("additionalProperties", Json()) != false && any(3) == 0 && !schema.contains("maxProperties"))
      schema["required"].push_back("more");
    return schema;
  }

  /// One that says nothing of names.
  Json free_object(int depth) {
    Json schema = {{"type", "object"}};
    if (any(2) == 0) schema["minProperties"] = any(2);
    if (any(2) == 0) schema["maxProperties"] = 1 + any(3);
    if (any(2) == 0) schema["additionalProperties"] = value(depth + 1, Where::within);
    return schema;
  }

  /// Alternatives of which only one may fit: by type, by value, or by a member's.
  Json apart(int depth, Where where) {
    Json alternatives = Json::array();
    if (any(3) == 0) {
      for (int i = any(3); i >= 0; --i) {
        Json tagged = object(depth + 1);
        tagged["properties"]["tag"] = i == 0 ? Json{{"enum", Json::array({"t", 0})}} : Json{{"const", i}};
        tagged["required"].push_back("tag");
        tagged.erase("maxProperties");
        alternatives.push_back(tagged);
      }
    } else {
      alternatives = {text(), list(depth + 1), {{"const", nullptr}}, {{"enum", Json::array({true, false})}}};
      alternatives.push_back(any(2) == 0 ? number() : Json{{"enum", Json::array({1, 2.5})}});
      if (any(2) == 0) alternatives.erase(0);
    }
    if (where == Where::within && any(2) == 0 && !alternatives[0].contains("properties"))
      alternatives.push_back(object(depth + 1));
    return alternatives;
  }

  Random random_;
  int defs_ = 0, below_ = 0;  // definitions; those that are made already, which don't refer to later ones but within
};

/// Adds the keywords of `schema` and of the schemas in it, and formats as "format NAME".
inline void add_keywords(const Json& schema, std::set<std::string>& keywords) {
  if (!schema.is_object()) return;
  for (const auto& [keyword, inside] : schema.items()) {
    keywords.insert(keyword);
    if (keyword == "format") keywords.insert("format " + inside.get<std::string>());
    if (keyword == "const" || keyword == "enum") continue;
    if (keyword == "properties" || keyword == "$defs" || inside.is_array())
      for (const Json& each : inside) add_keywords(each, keywords);
    else
      add_keywords(inside, keywords);
  }
}

}  // namespace layerboost::test
