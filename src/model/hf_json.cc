#include "model/hf_json.h"

#include <set>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {

SortedJson parse_object(std::string_view text, const std::string& where) {
  constexpr int deepest = 16;
  std::vector<std::set<std::string>> keys(deepest + 2);  // of the objects being read, by depth
  const auto watch = [&](int depth, SortedJson::parse_event_t event, SortedJson& parsed) {
    using Event = SortedJson::parse_event_t;
    if (depth > deepest) fail("{}: JSON nested deeper than {}", where, deepest);
    const auto level = static_cast<std::size_t>(depth);
    if (event == Event::object_start) keys[level + 1].clear();
    if (event == Event::key && !keys[level].insert(parsed.get_ref<const std::string&>()).second)
      fail("{}: the key {} appears twice", where, in_quotes(parsed.get_ref<const std::string&>()));
    return true;
  };
  SortedJson json;
  try {
    json = SortedJson::parse(text, watch);
  } catch (const SortedJson::parse_error& error) {
    fail("{}: not valid JSON at byte {}", where, error.byte);
  } catch (const SortedJson::exception&) {
    fail("{}: not valid JSON", where);
  }
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
  if (!value.is_number()) wrong(key, "a number");
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
