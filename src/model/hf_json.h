// JSON files of Hugging Face checkpoints: parsing and access that hold against hostile files.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace layerboost {

/// Parses an object as Python's json module does: of a key that is there twice the last value counts, and NaN, Infinity
/// and -Infinity are numbers (which JsonFields refuses where they are asked for); or strictly, where each key must be
/// there once (`keys_once`). Throws Error beginning with `where` when `text` is not JSON, not an object, or nests
/// deeper than 16.
SortedJson parse_object(std::string_view text, const std::string& where, bool keys_once = false);

/// The values of one JSON object, with the errors that its file deserves. Keeps references to what it is made from.
class JsonFields {
 public:
  JsonFields(const SortedJson& object, const std::string& where) : object_(object), where_(where) {}

  [[nodiscard]] const std::string& where() const { return where_; }
  /// The value, or nullptr when it is missing or null.
  [[nodiscard]] const SortedJson* find(const char* key) const;

  /// Whether the key is there, be it null.
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }

  // All throw Error naming file and key for a value of another type; without a fallback also when it is missing or
  // null; integers also outside 0 .. 2^31-1.
  [[nodiscard]] int integer(const char* key) const;
  [[nodiscard]] int integer(const char* key, int fallback) const;
  [[nodiscard]] double number(const char* key) const;
  [[nodiscard]] double number(const char* key, double fallback) const;
  [[nodiscard]] bool flag(const char* key, bool fallback) const;
  [[nodiscard]] std::string text(const char* key) const;
  [[nodiscard]] std::string text(const char* key, const char* fallback) const;

 private:
  [[nodiscard]] const SortedJson& required(const char* key) const;
  [[noreturn]] void wrong(const char* key, const char* expected) const;

  const SortedJson& object_;
  const std::string& where_;
};

}  // namespace layerboost
