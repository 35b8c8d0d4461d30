// For tests: whether JSON is valid by a schema, told plainly.
#pragma once

#include <cmath>
#include <regex>
#include <string>

#include "base/json.h"
#include "base/utf8.h"

namespace layerboost::test {

inline bool has_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number() && value.get<double>() == std::floor(value.get<double>());
  if (type == "number") return value.is_number();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  return type == "null" && value.is_null();
}

inline std::size_t characters_of(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return count;
}

/// `root`: what references are looked up in: "#/$defs/name" alone.
inline bool is_valid(const Json& value, const Json& schema, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref")) {
    const std::string name = schema["$ref"];
    return is_valid(value, name == "#" ? root : root["$defs"][name.substr(8)], root);
  }
  if (schema.contains("anyOf")) {
    bool any = false;
    for (const Json& each : schema["anyOf"]) any = any || is_valid(value, each, root);
    if (!any) return false;
  }
  if (schema.contains("oneOf")) {
    int fitting = 0;
    for (const Json& each : schema["oneOf"]) fitting += is_valid(value, each, root) ? 1 : 0;
    if (fitting != 1) return false;
  }
  if (schema.contains("const") && value != schema["const"]) return false;
  if (schema.contains("enum")) {
    bool any = false;
    for (const Json& each : schema["enum"]) any = any || value == each;
    if (!any) return false;
  }
  if (schema.contains("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    bool any = false;
    for (const Json& each : types) any = any || has_type(value, each);
    if (!any) return false;
  }
  const auto number = [&](const char* key, double otherwise) {
    return schema.contains(key) ? schema[key].get<double>() : otherwise;
  };
  if (value.is_number()) {
    const double v = value.get<double>();
    if (v < number("minimum", v) || v > number("maximum", v)) return false;
    if (schema.contains("exclusiveMinimum") && v <= schema["exclusiveMinimum"].get<double>()) return false;
    if (schema.contains("exclusiveMaximum") && v >= schema["exclusiveMaximum"].get<double>()) return false;
  }
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    const auto length = static_cast<double>(characters_of(text));
    if (length < number("minLength", 0) || length > number("maxLength", length)) return false;
    if (schema.contains("pattern") && !std::regex_search(text, std::regex(schema["pattern"].get<std::string>())))
      return false;
  }
  if (value.is_array()) {
    const auto size = static_cast<double>(value.size());
    if (size < number("minItems", 0) || size > number("maxItems", size)) return false;
    const Json first = schema.value("prefixItems", Json::array());
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json& inside = i < first.size() ? first[i] : schema.contains("items") ? schema["items"] : Json(true);
      if (!is_valid(value[i], i < first.size() ? first[i] : Json(inside), root)) return false;
    }
  }
  if (value.is_object()) {
    const auto size = static_cast<double>(value.size());
    if (size < number("minProperties", 0) || size > number("maxProperties", size)) return false;
    for (const Json& name : schema.value("required", Json::array()))
      if (!value.contains(name.get<std::string>())) return false;
    for (const auto& [key, inside] : value.items()) {
      const Json properties = schema.value("properties", Json::object());
      const Json by = properties.contains(key) ? properties[key] : schema.value("additionalProperties", Json(true));
      if (!is_valid(inside, by, root)) return false;
    }
  }
  return true;
}

}  // namespace layerboost::test
