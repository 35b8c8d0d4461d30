// JSON: reading with errors that name the file and the key, writing that is complete or absent.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

// Compiled once, in json.cc: a fifth of the time of each file that uses it.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace layerboost {

/// JSON whose objects keep the order in which keys were added.
using Json = nlohmann::ordered_json;

/// JSON whose objects sort their keys, for large ones: Json finds a key by looking at one after the other.
using SortedJson = nlohmann::json;

/// Parses `text`; `where` (a file's name) begins the message of the Error thrown when it is not JSON or nests deeper
/// than 64.
Json parse_json(std::string_view text, std::string_view where);
SortedJson parse_sorted_json(std::string_view text, std::string_view where);

/// Parses a file. Throws Error.
Json read_json(const fs::path& path);

/// Writes with two spaces of indentation and a final newline, completely or not at all. Throws Error.
void write_json(const fs::path& path, const Json& json);

/// The value of `key` as T. Throws Error naming `where` and the key when it is missing or of another type.
template <typename T>
T get(const Json& object, const char* key, std::string_view where) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end()) fail("{}: missing key \"{}\"", where, key);
  try {
    return it->template get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: \"{}\" has the wrong type: {}", where, key, it->dump().substr(0, 60));
  }
}

/// As get(), but `fallback` when the key is missing or null.
template <typename T>
T get_or(const Json& object, const char* key, T fallback, std::string_view where) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end() || it->is_null()) return fallback;
  return get<T>(object, key, where);
}

/// Throws Error naming the first key of `object` that is not among `allowed`.
void refuse_unknown_keys(const Json& object, std::initializer_list<std::string_view> allowed, std::string_view where);

}  // namespace layerboost
