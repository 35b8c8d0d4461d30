// Reading a request's JSON, field by field, with errors that name the field and what it may be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Parses a body. Throws ApiError (400) for what isn't a JSON object in valid UTF-8, or nests deeper than `depth`.
Json parse_body(std::string_view body, int depth);

/// The members of a JSON object. null and a missing member are the same. Throws ApiError (400) for another type or a
/// number out of range.
class Fields {
 public:
  /// `path` goes before the names in messages ("stream_options."). Requires: `object` outlives this.
  explicit Fields(const Json& object, std::string path = "") : object_(&object), path_(std::move(path)) {}

  /// nullptr when missing or null.
  [[nodiscard]] const Json* find(const char* name) const;
  [[nodiscard]] std::string path(const char* name) const { return path_ + name; }

  [[nodiscard]] bool flag(const char* name, bool fallback) const;
  [[nodiscard]] std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most) const;
  [[nodiscard]] double number(const char* name, double fallback, double least, double most) const;
  [[nodiscard]] std::optional<std::string> text(const char* name) const;
  [[nodiscard]] const Json* object(const char* name) const;
  /// A text, or a list of at most `most` texts.
  [[nodiscard]] std::vector<std::string> texts(const char* name, int most) const;

 private:
  const Json* object_;
  std::string path_;
};

/// Throws ApiError about `param` unless its value is an object.
void check_object(const Json& value, const std::string& param);

/// Characters of UTF-8 that begin in `text`.
std::size_t characters(std::string_view text);

/// A list of token ids below `vocab`. Throws ApiError about `param`, with `advice` at its end.
std::vector<TokenId> token_list(const Json& list, TokenId vocab, const std::string& param,
                                std::string_view advice = "");

}  // namespace layerboost
