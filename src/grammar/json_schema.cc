#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
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

constexpr std::size_t largest = std::size_t{128} << 10;  // bytes of a schema
constexpr int deepest_schema = 400;                      // schemas in schemas, those referred to counted
constexpr std::size_t most_alternatives = 256;           // of "oneOf": each is compared with each
constexpr std::size_t most_compared = 1 << 20;           // values of one "oneOf", by pairs

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

/// The same name for types that have values in common.
std::string_view wider(std::string_view type) { return type == "integer" ? "number" : type; }

std::string_view type_of(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  if (value.is_null()) return "null";
  const bool whole = value.is_number_integer() || value.get<double>() == std::floor(value.get<double>());
  return whole ? "integer" : "number";
}

/// The values that a schema names; null: it doesn't.
Json values_of(const Json& schema) {
  if (schema.contains("const")) return Json::array({schema["const"]});
  return schema.contains("enum") && schema["enum"].is_array() ? schema["enum"] : Json();
}

/// Whether no number that is written is as far from 0. Integers of 18 digits may round to 1e18.
bool is_beyond(const Json& number, bool integer) {
  constexpr std::int64_t first_beyond = 1'000'000'000'000'000'000;
  const double value = std::abs(number.get<double>());
  if (!integer) return value >= 1e15;
  if (value != 1e18 || !number.is_number_integer()) return value >= 1e18;
  const auto exact = number.get<std::int64_t>();
  return exact <= -first_beyond || exact >= first_beyond;
}

/// What tells one alternative of "oneOf" from others.
struct Alternative {
  Json values;                          // all that fit, a list; null: others may
  std::vector<std::string_view> types;  // of the values that are written
  bool takes_others = false;            // values of other types fit, too, although they aren't written
  std::map<std::string, Json> tags;     // of members that an object must have: the values that they may have
};

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
  static Alternative alternative_of(const Json& schema, const std::string& path);
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

  /// A rule that `write` makes from its first node on, once for each key, and a call of it.
  template <typename Write>
  int shared(const std::string& key, int from, const Write& write) {
    const auto [found, is_new] = rules_.try_emplace(key, 0);
    if (is_new) {
      const int made = found->second = grammar_.add_rule();
      grammar_.end(write(grammar_.first(made)));
    }
    return grammar_.call(from, found->second);
  }

  static std::set<std::string> required_names(const Json& schema, const std::string& path);
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
  std::map<std::string, int> rules_;  // of what is often there: parts that are referred to, patterns, bounds
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

Alternative SchemaWriter::alternative_of(const Json& schema, const std::string& path) {
  Alternative made;
  if (schema.is_object()) {
    made.values = values_of(schema);
    made.types = types_of(schema, path);
    made.takes_others = made.values.is_null() && !schema.contains("type");
    const auto properties = schema.find("properties");
    if (properties != schema.end() && properties->is_object()) {
      const std::set<std::string> required = required_names(schema, path);
      for (const auto& [name, member] : properties->items())
        if (member.is_object() && required.contains(name)) made.tags[name] = values_of(member);
    }
  }
  if (made.values.is_array()) {
    made.types.clear();
    for (const Json& value : made.values)
      if (!is_one_of(made.types, type_of(value))) made.types.push_back(type_of(value));
  } else if (made.types.empty()) {
    made.types.assign(std::begin(types), std::end(types));
  }
  return made;
}

/// Of "oneOf" exactly one may fit: alternatives are to differ by their values, by type, or by the values of a member
/// that objects must have.
void SchemaWriter::check_apart(const Json& schemas, const std::string& path) const {
  if (schemas.size() > most_alternatives)
    refuse("oneOf", path, fmt::format("has more than {} alternatives; use \"anyOf\"", most_alternatives));
  std::size_t compared = 0;
  const auto differ = [&](const Json& a, const Json& b) {
    if (!a.is_array() || !b.is_array()) return false;
    compared += a.size() * b.size();
    if (compared > most_compared) refuse("oneOf", path, "has too many values to compare; use \"anyOf\"");
    return std::ranges::none_of(a, [&](const Json& value) { return std::ranges::find(b, value) != b.end(); });
  };
  const auto objects_differ = [&](const Alternative& a, const Alternative& b) {
    return std::ranges::any_of(a.tags, [&](const auto& tag) {
      const auto other = b.tags.find(tag.first);
      return other != b.tags.end() && differ(tag.second, other->second);
    });
  };
  const auto may_write_what_fits = [](const Alternative& a, const Alternative& b, bool objects_apart) {
    return std::ranges::any_of(a.types, [&](std::string_view type) {
      if (type == "object" && objects_apart) return false;
      return b.takes_others ||
             std::ranges::any_of(b.types, [&](std::string_view other) { return wider(other) == wider(type); });
    });
  };
  std::vector<Alternative> all;
  for (const Json& schema : schemas) all.push_back(alternative_of(resolved(schema, path), path));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Alternative &a = all[i], &b = all[j];
      if (differ(a.values, b.values)) continue;
      const bool objects_apart = objects_differ(a, b);
      if (may_write_what_fits(a, b, objects_apart) || may_write_what_fits(b, a, objects_apart))
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
  const auto name = schema["$ref"].get<std::string>();
  return shared("$ref " + name, from, [&](int first) { return write(to, name, first); });
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

std::set<std::string> SchemaWriter::required_names(const Json& schema, const std::string& path) {
  const Json listed = schema.value("required", Json::array());
  const bool names = listed.is_array() && std::ranges::all_of(listed, [](const Json& j) { return j.is_string(); });
  if (!names) refuse("required", path, "must be a list of names");
  std::set<std::string> required;
  for (const Json& name : listed) required.insert(name.get<std::string>());
  return required;
}

int SchemaWriter::object(const Json& schema, const std::string& path, int from) {
  const Json properties = schema.value("properties", Json::object());
  if (!properties.is_object()) refuse("properties", path, "must be an object");
  const std::set<std::string> required = required_names(schema, path);
  const bool says_more = schema.contains("additionalProperties");
  const Json more =
      says_more ? schema["additionalProperties"] : Json(!schema.contains("properties") && required.empty());
  const std::string more_path = path + "/additionalProperties";
  std::vector<std::string> keys;
  std::vector<std::pair<int, bool>> rules;
  for (const auto& [name, inside] : properties.items()) {
    keys.push_back(name);
    rules.emplace_back(member_rule(name, inside, path + "/properties/" + name), required.contains(name));
  }
  std::set<std::string> known(keys.begin(), keys.end());
  for (const Json& listed : schema.value("required", Json::array())) {
    const auto name = listed.get<std::string>();
    if (!known.insert(name).second) continue;
    if (says_more && more == false)
      refuse("required", path, fmt::format("names {}, which is no property", in_quotes(name)));
    keys.push_back(name);
    rules.emplace_back(member_rule(name, says_more ? more : Json(true), more_path), true);
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
  auto missing = std::ranges::count_if(rules, [](const auto& member) { return member.second; });
  const auto close_after = [&](int node) {
    if (missing == 0) grammar_.edge(json_.space(node), '}', '}', to);
  };
  const auto comma_after = [&](int node) { return json_.space(grammar_.edge(node, ',', ',')); };
  const int begin = grammar_.edge(from, '{', '{');
  close_after(begin);
  int next = json_.space(begin);  // where a member comes: this one or, where it isn't required, one of those after it
  for (const auto& [rule, is_required] : rules) {
    const int after = grammar_.call(next, rule);
    if (is_required) --missing;
    close_after(after);
    const int later = comma_after(after);
    if (!is_required) grammar_.jump(next, later);
    next = later;
  }
  if (other >= 0) {
    const int after = grammar_.call(next, other);
    close_after(after);
    grammar_.jump(comma_after(after), next);
  }
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
    return shared(fmt::format("{} {}", keyword, value), from, [&](int first) {
      const int begin = grammar_.bytes(first, "\"");
      return grammar_.bytes(add_regex(grammar_, begin, regex, {.whole = has_format, .in_json = true}), "\"");
    });
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
    if (is_beyond(*found, integer)) {
      const bool above = found->get<double>() > 0;
      if (above == is_least) refuse(keyword, path, "is too large");
      return;
    }
    std::optional<NumberBounds::Bound>& bound = is_least ? bounds.least : bounds.most;
    const bool stricter = !bound || (is_least ? *found > bound->number : *found < bound->number);
    if (stricter || (exclusive && *found == bound->number)) bound = {*found, exclusive};
  };
  read("minimum", true, false);
  read("exclusiveMinimum", true, true);
  read("maximum", false, false);
  read("exclusiveMaximum", false, true);
  const auto shown = [](const std::optional<NumberBounds::Bound>& bound) {
    return bound ? fmt::format("{}{}", bound->exclusive ? "beyond " : "", bound->number.dump()) : "any";
  };
  const std::string key = fmt::format("number {} {} {}", integer, shown(bounds.least), shown(bounds.most));
  try {
    return shared(key, from, [&](int first) { return add_number(grammar_, first, bounds); });
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
