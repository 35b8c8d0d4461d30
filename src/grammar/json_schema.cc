#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "grammar/json_grammar.h"
#include "grammar/number_grammar.h"
#include "grammar/regex_grammar.h"
#include "grammar/string_formats.h"

namespace layerboost {
namespace {

constexpr std::size_t largest = std::size_t{128} << 10;  // bytes of a schema; what compares parts takes their square
constexpr int deepest_schema = 400;                      // schemas in schemas, those referred to counted

/// Keywords that say nothing of what is valid.
constexpr std::string_view notes[] = {"title",           "description", "default",   "examples",      "example",
                                      "$schema",         "$id",         "$comment",  "$defs",         "definitions",
                                      "deprecated",      "readOnly",    "writeOnly", "discriminator", "contentEncoding",
                                      "contentMediaType"};

/// Keywords about values of a type.
struct OfType {
  std::string_view keyword, type;
};
constexpr OfType of_types[] = {
    {"properties", "object"},    {"required", "object"},         {"additionalProperties", "object"},
    {"minProperties", "object"}, {"maxProperties", "object"},    {"items", "array"},
    {"prefixItems", "array"},    {"minItems", "array"},          {"maxItems", "array"},
    {"uniqueItems", "array"},    {"minLength", "string"},        {"maxLength", "string"},
    {"pattern", "string"},       {"format", "string"},           {"minimum", "number"},
    {"maximum", "number"},       {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"},
    {"multipleOf", "number"}};
/// Keywords that say it all, so that none but notes may stand beside them.
constexpr std::string_view alone[] = {"$ref", "anyOf", "oneOf", "allOf"};

constexpr std::string_view types[] = {"object", "array", "string", "number", "integer", "boolean", "null"};

template <typename List>
bool is_one_of(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

bool is_note(std::string_view keyword) { return is_one_of(notes, keyword) || keyword.starts_with("x-"); }

std::string_view keyword_type(std::string_view keyword) {
  for (const OfType& each : of_types)
    if (each.keyword == keyword) return each.type;
  return {};
}

std::string_view type_of(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  if (value.is_null()) return "null";
  const bool whole = value.is_number_integer() || value.get<double>() == std::floor(value.get<double>());
  return whole ? "integer" : "number";
}

class SchemaWriter {
 public:
  SchemaWriter(Grammar& grammar, const Json& root) : grammar_(grammar), json_(grammar), root_(root) {}

  int write(const Json& schema, const std::string& path, int from);

 private:
  [[noreturn]] static void refuse(std::string_view keyword, const std::string& path, std::string_view why) {
    fail("the schema's {} at {} {}", in_quotes(keyword), path.empty() ? "its root" : in_quotes(path), why);
  }
  [[noreturn]] static void not_supported(std::string_view keyword, const std::string& path) {
    refuse(keyword, path, "is not supported");
  }

  static void check(const Json& schema, const std::string& path);
  int any_of(const Json& schemas, std::string_view keyword, const std::string& path, int from);
  void check_apart(const Json& schemas, const std::string& path) const;
  [[nodiscard]] const Json& resolved(const Json& schema, const std::string& path) const;
  int reference(const Json& schema, const std::string& path, int from);
  [[nodiscard]] const Json& target(const Json& reference, const std::string& path) const;
  int given(const Json& values, const Json& schema, const std::string& path, int from);
  int of_type(std::string_view type, const Json& schema, const std::string& path, int from);
  int object(const Json& schema, const std::string& path, int from);
  int members(const std::vector<std::pair<int, bool>>& rules, int other, int from);
  int array(const Json& schema, const std::string& path, int from);
  int text(const Json& schema, const std::string& path, int from);
  int number(bool integer, const Json& schema, const std::string& path, int from);
  int rule(const Json& schema, const std::string& path);
  int member_rule(const std::string& name, const Json& schema, const std::string& path);

  static std::optional<int> count(const Json& schema, const char* keyword, const std::string& path);
  static std::pair<int, int> counts(const Json& schema, const char* least, const char* most, const std::string& path);
  static std::vector<std::string_view> types_of(const Json& schema, const std::string& path);

  struct Depth {
    explicit Depth(int& depth) : depth_(depth) { ++depth_; }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    int& depth_;
  };

  Grammar& grammar_;
  JsonGrammar json_;
  const Json& root_;
  int depth_ = 0;
  std::map<const Json*, int> targets_;  // rules of what was referred to
};

/// Refuses keywords that aren't known and those that can't stand beside each other.
void SchemaWriter::check(const Json& schema, const std::string& path) {
  const bool gives = schema.contains("enum") || schema.contains("const");
  std::string_view single;
  for (const auto& [keyword, value] : schema.items())
    if (is_one_of(alone, keyword)) single = single.empty() ? std::string_view(keyword) : single;
  for (const auto& [keyword, value] : schema.items()) {
    if (is_note(keyword) || keyword == single) continue;
    const bool known = keyword == "type" || keyword == "enum" || keyword == "const" || is_one_of(alone, keyword) ||
                       !keyword_type(keyword).empty();
    if (!known) not_supported(keyword, path);
    if (!single.empty()) refuse(keyword, path, fmt::format("is not supported beside \"{}\"", single));
    if (gives && !keyword_type(keyword).empty()) refuse(keyword, path, "is not supported beside \"enum\" or \"const\"");
  }
}

int SchemaWriter::write(const Json& schema, const std::string& path, int from) {
  if (schema.is_boolean()) return schema.get<bool>() ? json_.value(from) : grammar_.add_node();
  if (!schema.is_object()) fail("the schema at {} must be an object, true or false", in_quotes(path));
  if (depth_ >= deepest_schema) refuse("$ref", path, "leads too deep");
  const Depth depth(depth_);
  check(schema, path);
  if (schema.contains("$ref")) return reference(schema, path, from);
  for (const char* const keyword : {"anyOf", "oneOf", "allOf"})
    if (schema.contains(keyword)) return any_of(schema[keyword], keyword, path, from);
  if (schema.contains("const")) return given(Json::array({schema["const"]}), schema, path, from);
  if (schema.contains("enum")) return given(schema["enum"], schema, path, from);
  const std::vector<std::string_view> named = types_of(schema, path);
  if (named.empty()) return json_.value(from);
  const int to = grammar_.add_node();
  for (const std::string_view type : named) grammar_.jump(of_type(type, schema, path, from), to);
  return to;
}

std::vector<std::string_view> SchemaWriter::types_of(const Json& schema, const std::string& path) {
  std::vector<std::string_view> found;
  const auto add = [&](std::string_view type) {
    if (!is_one_of(found, type)) found.push_back(type);
  };
  const auto type = schema.find("type");
  if (type == schema.end()) {
    for (const auto& [keyword, value] : schema.items())
      if (!keyword_type(keyword).empty()) add(keyword_type(keyword));
    return found;
  }
  const Json list = type->is_array() ? *type : Json::array({*type});
  for (const Json& each : list) {
    const bool known = each.is_string() && is_one_of(types, each.get_ref<const std::string&>());
    if (!known)
      refuse("type", path, "must be object, array, string, number, integer, boolean, null or a list of these");
    add(*std::ranges::find(types, each.get_ref<const std::string&>()));
  }
  if (list.empty()) refuse("type", path, "is an empty list");
  if (is_one_of(found, "number")) std::erase(found, "integer");
  return found;
}

int SchemaWriter::any_of(const Json& schemas, std::string_view keyword, const std::string& path, int from) {
  if (!schemas.is_array() || schemas.empty()) refuse(keyword, path, "must be a list of schemas");
  if (keyword == "allOf" && schemas.size() > 1) refuse(keyword, path, "is not supported with more than one schema");
  if (keyword == "oneOf") check_apart(schemas, path);
  const int to = grammar_.add_node();
  for (std::size_t i = 0; i < schemas.size(); ++i)
    grammar_.jump(write(schemas[i], fmt::format("{}/{}/{}", path, keyword, i), from), to);
  return to;
}

/// Of "oneOf" exactly one may fit: alternatives are to differ by type, or by a value that a member must have.
void SchemaWriter::check_apart(const Json& schemas, const std::string& path) const {
  const auto values_of = [](const Json& schema) {
    if (schema.contains("const")) return Json::array({schema["const"]});
    return schema.contains("enum") ? schema["enum"] : Json();
  };
  const auto differ = [](const Json& a, const Json& b) {
    return a.is_array() && b.is_array() &&
           std::ranges::none_of(a, [&](const Json& value) { return std::ranges::find(b, value) != b.end(); });
  };
  const auto types_apart = [&](const Json& a, const Json& b) {
    if (!a.contains("type") || !b.contains("type")) return false;  // any other type would fit, too
    const auto first = types_of(a, path), second = types_of(b, path);
    const auto wider = [](std::string_view type) { return type == "integer" ? "number" : type; };
    return std::ranges::none_of(first, [&](std::string_view type) {
      return std::ranges::any_of(second, [&](std::string_view other) { return wider(type) == wider(other); });
    });
  };
  const auto members_apart = [&](const Json& a, const Json& b) {
    if (!a.contains("properties") || !b.contains("properties") || !a["properties"].is_object()) return false;
    return std::ranges::any_of(a["properties"].items(), [&](const auto& member) {
      const auto needs = [&](const Json& schema) {
        const Json required = schema.value("required", Json::array());
        return std::ranges::find(required, Json(member.key())) != required.end();
      };
      const Json& others = b["properties"];
      return needs(a) && needs(b) && others.contains(member.key()) && member.value().is_object() &&
             others[member.key()].is_object() && differ(values_of(member.value()), values_of(others[member.key()]));
    });
  };
  std::vector<const Json*> resolved_ones;
  for (const Json& schema : schemas) resolved_ones.push_back(&resolved(schema, path));
  for (std::size_t i = 0; i < resolved_ones.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Json &a = *resolved_ones[i], &b = *resolved_ones[j];
      const bool apart = a.is_object() && b.is_object() &&
                         (differ(values_of(a), values_of(b)) || types_apart(a, b) || members_apart(a, b));
      if (!apart)
        refuse("oneOf", path, fmt::format("has the alternatives {} and {}, which may both fit; use \"anyOf\"", j, i));
    }
  }
}

/// A schema, or what it refers to.
const Json& SchemaWriter::resolved(const Json& schema, const std::string& path) const {
  const Json* at = &schema;
  for (int steps = 0; at->is_object() && at->contains("$ref"); ++steps) {
    if (steps > 100) refuse("$ref", path, "refers to itself");
    at = &target((*at)["$ref"], path);
  }
  return *at;
}

/// What a reference within the schema names: "#", or "#/$defs/name" and the like.
const Json& SchemaWriter::target(const Json& reference, const std::string& path) const {
  const std::string name = reference.is_string() ? reference.get<std::string>() : "";
  if (!name.starts_with("#") || (name.size() > 1 && name[1] != '/'))
    refuse("$ref", path, "can only name a part of this schema, as \"#/$defs/name\" does");
  const Json* at = &root_;
  std::string_view rest = std::string_view(name).substr(1);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t length = std::min(rest.find('/'), rest.size());
    std::string key;
    for (std::size_t i = 0; i < length; ++i) {
      const bool escape = rest[i] == '~' && i + 1 < length && (rest[i + 1] == '0' || rest[i + 1] == '1');
      key += escape ? (rest[++i] == '0' ? '~' : '/') : rest[i];
    }
    rest.remove_prefix(length);
    const bool is_index = at->is_array() && !key.empty() && key.size() < 6 &&
                          key.find_first_not_of("0123456789") == std::string::npos && std::stoul(key) < at->size();
    if (!is_index && !(at->is_object() && at->contains(key)))
      refuse("$ref", path, fmt::format("names {}, which is not there", in_quotes(name)));
    at = is_index ? &(*at)[std::stoul(key)] : &(*at)[key];
  }
  return *at;
}

int SchemaWriter::reference(const Json& schema, const std::string& path, int from) {
  const Json& to = target(schema["$ref"], path);
  const auto [found, is_new] = targets_.try_emplace(&to, 0);
  if (is_new) {
    const int made = found->second = grammar_.add_rule();
    grammar_.end(write(to, schema["$ref"].get<std::string>(), grammar_.first(made)));
  }
  return grammar_.call(from, targets_.at(&to));
}

/// One of `values` that has the schema's type.
int SchemaWriter::given(const Json& values, const Json& schema, const std::string& path, int from) {
  if (!values.is_array() || values.empty()) refuse("enum", path, "must be a list of values");
  if (schema.contains("const") && schema.contains("enum")) refuse("enum", path, "is not supported beside \"const\"");
  const std::vector<std::string_view> named = types_of(schema, path);
  std::vector<std::string> simple;
  const int to = grammar_.add_node();
  for (const Json& value : values) {
    const std::string_view type = type_of(value);
    const bool fits = named.empty() || is_one_of(named, type) || (type == "integer" && is_one_of(named, "number"));
    if (!fits) continue;
    if (value.is_structured() && !value.empty())
      grammar_.jump(json_.literal(from, value), to);
    else
      simple.push_back(value.dump());
  }
  if (!simple.empty()) grammar_.jump(grammar_.one_of(from, simple), to);
  return to;
}

int SchemaWriter::of_type(std::string_view type, const Json& schema, const std::string& path, int from) {
  if (type == "object") return object(schema, path, from);
  if (type == "array") return array(schema, path, from);
  if (type == "string") return text(schema, path, from);
  if (type == "null") return grammar_.bytes(from, "null");
  if (type == "boolean") return grammar_.one_of(from, std::array<std::string, 2>{"true", "false"});
  return number(type == "integer", schema, path, from);
}

int SchemaWriter::rule(const Json& schema, const std::string& path) {
  const int made = grammar_.add_rule();
  grammar_.end(write(schema, path, grammar_.first(made)));
  return made;
}

int SchemaWriter::member_rule(const std::string& name, const Json& schema, const std::string& path) {
  const int made = grammar_.add_rule();
  const int colon = grammar_.bytes(grammar_.first(made), Json(name).dump() + ":");
  grammar_.end(write(schema, path, json_.space(colon)));
  return made;
}

std::optional<int> SchemaWriter::count(const Json& schema, const char* keyword, const std::string& path) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return std::nullopt;
  const double value = found->is_number() ? found->get<double>() : -1;
  if (!(value >= 0) || value != std::floor(value)) refuse(keyword, path, "must be a whole number, 0 or more");
  return static_cast<int>(std::min(value, static_cast<double>(Grammar::no_limit)));
}

std::pair<int, int> SchemaWriter::counts(const Json& schema, const char* least, const char* most,
                                         const std::string& path) {
  return {count(schema, least, path).value_or(0), count(schema, most, path).value_or(Grammar::no_limit)};
}

int SchemaWriter::object(const Json& schema, const std::string& path, int from) {
  const Json properties = schema.value("properties", Json::object());
  if (!properties.is_object()) refuse("properties", path, "must be an object");
  const Json required = schema.value("required", Json::array());
  const bool names = required.is_array() && std::ranges::all_of(required, [](const Json& j) { return j.is_string(); });
  if (!names) refuse("required", path, "must be a list of names");
  const Json more = schema.value("additionalProperties", Json(properties.empty() && required.empty()));
  const std::string more_path = path + "/additionalProperties";
  std::vector<std::string> keys;
  std::vector<std::pair<int, bool>> rules;
  const auto is_required = [&](const std::string& name) {
    return std::ranges::find(required, Json(name)) != required.end();
  };
  for (const auto& [name, inside] : properties.items()) {
    keys.push_back(name);
    rules.emplace_back(member_rule(name, inside, path + "/properties/" + name), is_required(name));
  }
  for (const Json& name : required) {
    if (std::ranges::find(keys, name.get_ref<const std::string&>()) != keys.end()) continue;
    if (schema.contains("additionalProperties") && more == false)
      refuse("required", path, fmt::format("names {}, which is no property", in_quotes(name.dump())));
    keys.push_back(name.get<std::string>());
    rules.emplace_back(member_rule(keys.back(), schema.contains("additionalProperties") ? more : Json(true), more_path),
                       true);
  }
  const auto [least, most] = counts(schema, "minProperties", "maxProperties", path);
  int other = -1;  // a rule of any other member
  if (more != false) {
    other = grammar_.add_rule();
    const int colon = grammar_.edge(json_.other_key(grammar_.first(other), keys), ':', ':');
    grammar_.end(write(more, more_path, json_.space(colon)));
  }
  // Another key may come twice, and then counts as one.
  const auto needed = static_cast<int>(std::ranges::count_if(rules, [](const auto& r) { return r.second; }));
  if (rules.empty() && other >= 0 && least <= 1) return json_.list(from, '{', other, least, most, '}');
  if (least > needed) refuse("minProperties", path, "is not supported beyond the required ones");
  if (most < std::ssize(rules) || (other >= 0 && most != Grammar::no_limit))
    refuse("maxProperties", path, "is not supported beside \"properties\"");
  return members(rules, other, from);
}

/// Members in order, those that aren't required or not, then any number of `other` (-1: none).
int SchemaWriter::members(const std::vector<std::pair<int, bool>>& rules, int other, int from) {
  const int to = grammar_.add_node();
  const auto comma = [&](int node) { return json_.space(grammar_.edge(node, ',', ',')); };
  int none = grammar_.edge(from, '{', '{');  // no member so far; -1: there must be one
  int some = -1;
  for (const auto& [rule, is_required] : rules) {
    const int after = grammar_.add_node();
    int later = -1;
    if (none >= 0) grammar_.call(json_.space(none), rule, after);
    if (some >= 0) grammar_.call(comma(some), rule, after);
    if (!is_required && some >= 0) grammar_.jump(some, after);
    if (!is_required) later = none;
    none = later;
    some = after;
  }
  if (other >= 0) {
    const int after = grammar_.add_node();
    if (none >= 0) grammar_.call(json_.space(none), other, after);
    if (some >= 0) grammar_.jump(some, after);
    grammar_.call(comma(after), other, after);
    some = after;
  }
  for (const int node : {none, some})
    if (node >= 0) grammar_.edge(json_.space(node), '}', '}', to);
  return to;
}

int SchemaWriter::array(const Json& schema, const std::string& path, int from) {
  const auto [least, most] = counts(schema, "minItems", "maxItems", path);
  if (const auto unique = schema.find("uniqueItems"); unique != schema.end() && *unique != false && most > 1)
    not_supported("uniqueItems", path);
  const Json items = schema.value("items", Json(true));
  if (items.is_array()) refuse("items", path, "can't be a list; name the first items by \"prefixItems\"");
  const Json first = schema.value("prefixItems", Json::array());
  if (!first.is_array()) refuse("prefixItems", path, "must be a list of schemas");
  if (first.empty()) return json_.list(from, '[', rule(items, path + "/items"), least, items == false ? 0 : most, ']');
  const int to = grammar_.add_node();
  const auto close_after = [&](int node) { grammar_.edge(json_.space(node), ']', ']', to); };
  int node = grammar_.edge(from, '[', '[');
  const bool endless = most == Grammar::no_limit && items != false;
  const int counted = std::max(static_cast<int>(first.size()), endless ? least : items == false ? 0 : most);
  const int others = items == false ? -1 : rule(items, path + "/items");
  for (int i = 0; i < std::min(counted, most); ++i) {
    if (i >= least) close_after(node);
    const int next = json_.space(i == 0 ? node : grammar_.edge(node, ',', ','));
    const auto at = static_cast<std::size_t>(i);
    const int item = at < first.size() ? rule(first[at], fmt::format("{}/prefixItems/{}", path, i)) : others;
    node = grammar_.call(next, item);
  }
  if (std::min(counted, most) >= least) close_after(node);
  if (endless) grammar_.call(json_.space(grammar_.edge(node, ',', ',')), others, node);
  return to;
}

int SchemaWriter::text(const Json& schema, const std::string& path, int from) {
  const auto [least, most] = counts(schema, "minLength", "maxLength", path);
  const bool has_pattern = schema.contains("pattern"), has_format = schema.contains("format");
  if (!has_pattern && !has_format) return json_.string(from, {least, most});
  const char* const keyword = has_pattern ? "pattern" : "format";
  if (least > 0 || most != Grammar::no_limit) refuse(keyword, path, "is not supported beside a length");
  if (has_pattern && has_format) refuse(keyword, path, "is not supported beside \"format\"");
  if (!schema[keyword].is_string()) refuse(keyword, path, "must be a string");
  const std::string& value = schema[keyword].get_ref<const std::string&>();
  const std::string_view regex = has_pattern ? std::string_view(value) : regex_of_format(value);
  if (regex.empty() && has_format) refuse(keyword, path, fmt::format("{} is not supported", in_quotes(value)));
  try {
    return grammar_.bytes(
        add_regex(grammar_, grammar_.bytes(from, "\""), regex, {.whole = has_format, .in_json = true}), "\"");
  } catch (const Error& error) {
    refuse(keyword, path, fmt::format("can't be kept to: {}", error.what()));
  }
}

int SchemaWriter::number(bool integer, const Json& schema, const std::string& path, int from) {
  if (const auto factor = schema.find("multipleOf"); factor != schema.end() && !(integer && *factor == 1))
    not_supported("multipleOf", path);
  NumberBounds bounds;
  bounds.integer = integer;
  const auto read = [&](const char* keyword, bool is_least, bool exclusive) {
    const auto found = schema.find(keyword);
    if (found == schema.end()) return;
    if (!found->is_number()) refuse(keyword, path, "must be a number");
    const double value = found->get<double>();
    const double beyond = integer ? 1e18 : 1e15;  // no number that is written is further out
    if (is_least ? value >= beyond : value <= -beyond) refuse(keyword, path, "is too large");
    if (is_least ? value <= -beyond : value >= beyond) return;
    std::optional<NumberBounds::Bound>& bound = is_least ? bounds.least : bounds.most;
    const bool stricter =
        !bound || (is_least ? value > bound->number.get<double>() : value < bound->number.get<double>());
    const bool as_strict = bound && value == bound->number.get<double>();
    if (stricter || (as_strict && exclusive)) bound = {*found, exclusive};
  };
  read("minimum", true, false);
  read("exclusiveMinimum", true, true);
  read("maximum", false, false);
  read("exclusiveMaximum", false, true);
  try {
    return add_number(grammar_, from, bounds);
  } catch (const Error& error) {
    refuse(bounds.least ? "minimum" : "maximum", path, fmt::format("can't be kept to: {}", error.what()));
  }
}

}  // namespace

int add_schema(Grammar& grammar, int from, const Json& schema) {
  if (schema.dump().size() > largest) fail("the schema has more than {} KiB", largest >> 10);
  return SchemaWriter(grammar, schema).write(schema, "", from);
}

}  // namespace layerboost
