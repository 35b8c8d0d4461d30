// For tests: whether JSON is valid by a schema, told plainly.
#pragma once

#include <chrono>
#include <cmath>
#include <regex>
#include <sstream>
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

inline int number_in(const std::string& text, std::size_t at, std::size_t length) {
  return std::stoi(text.substr(at, length));
}

inline bool is_date(const std::string& text) {
  if (!std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\d)"))) return false;
  const std::chrono::year_month_day day(std::chrono::year(number_in(text, 0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number_in(text, 5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number_in(text, 8, 2))));
  return day.ok() && day.year() > std::chrono::year(0);
}

inline bool is_time(const std::string& text) {
  if (!std::regex_match(text, std::regex(R"(\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))"))) return false;
  const bool offset_is_good =
      text.back() == 'Z' || (number_in(text, text.size() - 5, 2) < 24 && number_in(text, text.size() - 2, 2) < 60);
  return number_in(text, 0, 2) < 24 && number_in(text, 3, 2) < 60 && number_in(text, 6, 2) < 60 && offset_is_good;
}

/// Of at most 253 characters, as names in DNS are.
inline bool is_hostname(const std::string& text) {
  const std::regex labels(R"((?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*)");
  return text.size() <= 253 && std::regex_match(text, labels) && text.find("-.") == std::string::npos &&
         text.back() != '-';
}

inline bool is_ipv4(const std::string& text) {
  int dots = 0;
  std::istringstream bytes(text);
  for (std::string byte; std::getline(bytes, byte, '.'); ++dots)
    if (byte.empty() || byte.size() > 3 || byte != std::to_string(std::stoi(byte)) || std::stoi(byte) > 255)
      return false;
  return dots == 4 && text.back() != '.';
}

/// Whether a text has a format of JSON Schema.
inline bool has_format(const std::string& text, const std::string& format) {
  const auto matches = [&](const char* regex) { return std::regex_match(text, std::regex(regex)); };
  if (format == "date") return is_date(text);
  if (format == "time") return is_time(text);
  if (format == "date-time")
    return text.size() > 11 && text[10] == 'T' && is_date(text.substr(0, 10)) && is_time(text.substr(11));
  if (format == "duration") return matches(R"(P(\d+W|(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?))");
  if (format == "uuid") return matches("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}");
  if (format == "ipv4") return is_ipv4(text);
  if (format == "hostname") return is_hostname(text);
  if (format == "email") {
    const std::size_t at = text.find('@');
    return at != std::string::npos && at <= 64 && matches(R"([\w+-]+(\.[\w+-]+)*@.*)") &&
           is_hostname(text.substr(at + 1));
  }
  return format == "uri" &&
         matches(R"([a-z][a-z0-9+.-]*://[A-Za-z0-9.-]+(:\d+)?(/[\w.~/-]*)?(\?[\w.~/=&-]*)?(#[\w.~-]*)?)");
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
  for (const Json& each : schema.value("allOf", Json::array()))
    if (!is_valid(value, each, root)) return false;
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
    if (schema.contains("multipleOf") && std::fmod(v, schema["multipleOf"].get<double>()) != 0) return false;
    if (schema.contains("exclusiveMinimum") && v <= schema["exclusiveMinimum"].get<double>()) return false;
    if (schema.contains("exclusiveMaximum") && v >= schema["exclusiveMaximum"].get<double>()) return false;
  }
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    const auto length = static_cast<double>(characters_of(text));
    if (length < number("minLength", 0) || length > number("maxLength", length)) return false;
    if (schema.contains("format") && !has_format(text, schema["format"])) return false;
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
