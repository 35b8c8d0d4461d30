// JSON: reading with errors that name the file and the key, writing that is complete or absent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"

// Compiled once, in json.cc: a fifth of the time of each file that uses it.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace layerboost {

/// JSON whose objects keep the order in which keys were added.
using Json = nlohmann::ordered_json;

/// JSON whose objects sort their keys, for large ones: Json finds a key by looking at one after the other.
using SortedJson = nlohmann::json;

/// What readers refuse besides what isn't JSON.
struct JsonRules {
  int deepest = 64;                                                 // levels of lists and objects
  std::size_t most_keys = std::numeric_limits<std::size_t>::max();  // of one object
  bool keys_once = false;   // whether a key twice in an object is refused; if not, its last value counts
  bool not_finite = false;  // whether NaN, Infinity and -Infinity are numbers, as Python's json module writes them
};

/// Parses `text` in time proportional to its size (times the logarithm of an object's keys), whatever it holds. `where`
/// (a file's name) begins the message of the Error thrown when it is not JSON in UTF-8 or against the rules.
Json parse_json(std::string_view text, std::string_view where, const JsonRules& rules = {});
SortedJson parse_sorted_json(std::string_view text, std::string_view where, const JsonRules& rules = {});

/// null for what parse_json() refuses.
SortedJson json_or_null(std::string_view text);

/// Parses a file of ours, in which no key may be twice. Throws Error.
Json read_json(const fs::path& path);

/// Writes with two spaces of indentation and a final newline, completely or not at all. Throws Error.
void write_json(const fs::path& path, const Json& json);

namespace json_detail {

[[noreturn]] void wrong_type(const Json& value, const char* key, std::string_view where);
[[noreturn]] void out_of_range(const Json& value, const char* key, std::string_view where);

/// Whether a value is a T without change. (The library takes true for 1, 1.5 for 1 and 2^32 + 1 for 1.)
template <typename T>
struct Reader {
  static bool has_type(const Json& value) {
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_integral_v<T>) return value.is_number_integer();
    if constexpr (std::is_floating_point_v<T>) return value.is_number();
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    return true;  // Json
  }
  static bool fits(const Json& value) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      return value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                        : std::in_range<T>(value.get<std::int64_t>());
    }
    return true;
  }
};

template <typename T>
struct Reader<std::vector<T>> {
  static bool has_type(const Json& value) {
    return value.is_array() && std::all_of(value.begin(), value.end(), Reader<T>::has_type);
  }
  static bool fits(const Json& value) { return std::all_of(value.begin(), value.end(), Reader<T>::fits); }
};

}  // namespace json_detail

/// The value of `key` as T: a bool, a number, a string, Json, or a list of such. Throws Error naming `where` and the
/// key when it is missing, of another type, or an integer that T can't hold.
template <typename T>
T get(const Json& object, const char* key, std::string_view where) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end()) fail("{}: missing key \"{}\"", where, key);
  if (!json_detail::Reader<T>::has_type(*it)) json_detail::wrong_type(*it, key, where);
  if (!json_detail::Reader<T>::fits(*it)) json_detail::out_of_range(*it, key, where);
  return it->template get<T>();
}

/// Does as get(), but returns `fallback` when the key is missing or null.
template <typename T>
T get_or(const Json& object, const char* key, T fallback, std::string_view where) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end() || it->is_null()) return fallback;
  return get<T>(object, key, where);
}

/// Throws Error unless "format" and "version" of `json` are these.
void check_format(const Json& json, std::string_view format, int version, std::string_view where);

/// Throws Error naming the first key of `object` that is not among `allowed`.
void refuse_unknown_keys(const Json& object, const std::vector<std::string_view>& allowed, std::string_view where);

}  // namespace layerboost
