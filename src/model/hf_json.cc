#include "model/hf_json.h"

#include <cmath>

#include "base/error.h"

namespace layerboost {

SortedJson parse_object(std::string_view text, const std::string& where, bool keys_once) {
  SortedJson json = parse_sorted_json(text, where, {.deepest = 16, .keys_once = keys_once, .not_finite = !keys_once});
  if (!json.is_object()) fail("{}: should be a JSON object", where);
  return json;
}

const SortedJson* JsonFields::find(const char* key) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

const SortedJson& JsonFields::required(const char* key) const {
  const SortedJson* value = find(key);
  if (value == nullptr) fail("{}: missing \"{}\"", where_, key);
  return *value;
}

void JsonFields::wrong(const char* key, const char* expected) const {
  fail("{}: \"{}\" should be {}", where_, key, expected);
}

int JsonFields::integer(const char* key) const {
  const SortedJson& value = required(key);
  // Non-negative integers are parsed as unsigned ones.
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > INT32_MAX) wrong(key, "an integer of 0 to 2^31-1");
  return value.get<int>();
}

int JsonFields::integer(const char* key, int fallback) const { return find(key) == nullptr ? fallback : integer(key); }

double JsonFields::number(const char* key) const {
  const SortedJson& value = required(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(key, "a finite number");
  return value.get<double>();
}

double JsonFields::number(const char* key, double fallback) const {
  return find(key) == nullptr ? fallback : number(key);
}

bool JsonFields::flag(const char* key, bool fallback) const {
  const SortedJson* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) wrong(key, "true or false");
  return value->get<bool>();
}

std::string JsonFields::text(const char* key) const {
  const SortedJson& value = required(key);
  if (!value.is_string()) wrong(key, "a string");
  return value.get<std::string>();
}

std::string JsonFields::text(const char* key, const char* fallback) const {
  return find(key) == nullptr ? fallback : text(key);
}

}  // namespace layerboost
