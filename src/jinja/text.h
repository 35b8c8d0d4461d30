// Python's strings are sequences of code points; these are its operations on UTF-8. Bytes that aren't UTF-8 count as
// one character each. Each charges the budget of the template that runs for the bytes that it goes through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace layerboost::jinja {

/// The characters of a text, for range-based for.
class CodePoints {
 public:
  explicit CodePoints(std::string_view text) : text_(text) {}

  class Iterator {
   public:
    explicit Iterator(std::string_view rest);
    std::string_view operator*() const { return rest_.substr(0, length_); }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.size() != other.rest_.size(); }

   private:
    std::string_view rest_;
    std::size_t length_ = 0;  // of the first character
  };

  [[nodiscard]] Iterator begin() const { return Iterator(text_); }
  [[nodiscard]] Iterator end() const { return Iterator(text_.substr(text_.size())); }

 private:
  std::string_view text_;
};

/// The code point of one of these characters; -1 for a byte that isn't UTF-8.
std::int32_t code_point_of(std::string_view character);

/// Characters of `text`.
std::size_t length_of(std::string_view text);

/// str.strip() and its one-sided forms: `characters` empty means white space as Python has it.
enum class Side { left, right, both };
std::string_view strip(std::string_view text, Side side, const std::optional<std::string>& characters = {});

enum class LetterCase { lower, upper, title, capitalized, swapped };
/// Changes letters by Unicode's full mappings, as Python does: one may become several ("\u00DF": "SS").
std::string with_case(std::string_view text, LetterCase form);
/// str.casefold(): by Unicode's full case folding.
std::string without_case(std::string_view text);

/// Where `wanted` lies in `text` for the first time, or the last one, in bytes; npos: nowhere. Takes time that grows
/// with both lengths, not with their product.
std::size_t find_text(std::string_view text, std::string_view wanted);
std::size_t find_last_text(std::string_view text, std::string_view wanted);
/// str.count(): how often `wanted` lies in `text`, without overlaps; an empty one lies around every character.
std::size_t count_text(std::string_view text, std::string_view wanted);

/// str.split(separator, most) and rsplit: at white space without a separator. `most` < 0: all.
std::vector<std::string_view> split(std::string_view text, const std::optional<std::string>& separator,
                                    std::int64_t most);
std::vector<std::string_view> split_from_right(std::string_view text, const std::optional<std::string>& separator,
                                               std::int64_t most);
/// str.splitlines(): without the ends unless `keep_ends`.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

/// str.replace(): the first `most` occurrences; < 0: all. An empty `from` is found around every character. Throws
/// TemplateError when the result would be larger than a text may be.
std::string replace(std::string_view text, std::string_view from, std::string_view to, std::int64_t most);

/// `&`, `<`, `>` and quotes as HTML has them.
std::string escape_html(std::string_view text);

/// U+FDD0 and U+FDD1, which no text has: text/plain_messages.h puts them into texts before a template sees these, and
/// looks for them afterwards. So they are written as they are where other such characters are escaped.
constexpr bool is_mark(std::int32_t code_point) { return code_point == 0xFDD0 || code_point == 0xFDD1; }

/// Whether `text` is an index of a list: one to nine digits of ASCII.
bool is_index(std::string_view text);

/// Whether a character belongs to a word: letters, numbers and "_", what "\\w" means to Python.
bool is_word_character(std::string_view character);

/// Whether every character (at least one) is of a kind: "alpha", "decimal", "digit", "numeric", "alnum", "space",
/// "printable"; for "lower" and "upper" every letter that has case, at least one.
bool all_are(std::string_view text, std::string_view kind);

/// Whether each letter that has case, at least one, is a capital or a title letter where it begins a word, and a small
/// one elsewhere.
bool is_title(std::string_view text);

}  // namespace layerboost::jinja
