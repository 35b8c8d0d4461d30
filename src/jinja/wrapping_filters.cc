// The filter `wordwrap`: Python's textwrap.wrap() for each line of a text.
#include <algorithm>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::size_t character_cost = 64;  // units of charge()

using Characters = std::vector<std::string_view>;

bool is_blank(std::string_view character) {
  return character.size() == 1 && std::string_view("\t\n\v\f\r ").find(character) != std::string_view::npos;
}

bool is_letter(std::string_view character) { return is_word_character(character) && !all_are(character, "decimal"); }

/// A line in the pieces that a line end may stand between: white space, and words, cut after hyphens and before dashes.
class Pieces {
 public:
  Pieces(const Characters& line, bool at_hyphens) : line_(line), at_hyphens_(at_hyphens) {}

  /// [begin, end) of the piece after the one that ended at `begin`.
  [[nodiscard]] std::size_t end_after(std::size_t begin) const {
    std::size_t end = begin + 1;
    if (is_blank(line_[begin])) {
      while (end < line_.size() && is_blank(line_[end])) ++end;
      return end;
    }
    if (at_hyphens_ && begin > 0 && joins(begin - 1) && begins_dash(begin)) {
      while (end < line_.size() && line_[end] == "-") ++end;
      return end;
    }
    for (; end < line_.size() && !is_blank(line_[end]); ++end) {
      if (!at_hyphens_) continue;
      if (ends_at_hyphen(begin, end)) return end + 1;
      if (joins(end - 1) && begins_dash(end)) return end;
    }
    return end;
  }

 private:
  [[nodiscard]] bool letter(std::size_t i) const { return i < line_.size() && is_letter(line_[i]); }

  /// A hyphen between two letters before it and two after it, of which each pair may have one inside.
  [[nodiscard]] bool ends_at_hyphen(std::size_t begin, std::size_t i) const {
    if (line_[i] != "-" || i <= begin) return false;
    const bool before = i >= 2 && letter(i - 1) && (letter(i - 2) || (i >= 3 && line_[i - 2] == "-" && letter(i - 3)));
    return before && letter(i + 1) && (letter(i + 2) || (i + 2 < line_.size() && line_[i + 2] == "-" && letter(i + 3)));
  }

  /// Two hyphens or more before a word.
  [[nodiscard]] bool begins_dash(std::size_t i) const {
    std::size_t end = i;
    while (end < line_.size() && line_[end] == "-") ++end;
    charge(end - i);
    return end >= i + 2 && end < line_.size() && is_word_character(line_[end]);
  }

  /// What a dash may follow.
  [[nodiscard]] bool joins(std::size_t i) const {
    return is_word_character(line_[i]) || std::string_view("!\"'&.,?").find(line_[i]) != std::string_view::npos;
  }

  const Characters& line_;
  bool at_hyphens_;
};

struct Wrapping {
  std::size_t width;
  bool break_words, at_hyphens;
  std::string line_end;
};

/// The lines of one line, joined.
std::string wrapped(std::string_view line, const Wrapping& wrapping) {
  charge(character_cost * line.size());
  const Held held(line.size() * sizeof(std::string_view) * 2);
  Characters characters;
  for (const std::string_view character : CodePoints(line)) characters.push_back(character);
  std::vector<std::pair<std::size_t, std::size_t>> pieces;  // [begin, end), the last one first
  const Pieces cut(characters, wrapping.at_hyphens);
  for (std::size_t at = 0; at < characters.size(); at = pieces.back().second)
    pieces.emplace_back(at, cut.end_after(at));
  std::reverse(pieces.begin(), pieces.end());
  const auto blank = [&](const auto& piece) {
    return piece.first == piece.second || is_blank(characters[piece.first]);
  };
  std::string out;
  bool any = false;
  while (!pieces.empty()) {
    if (any && blank(pieces.back())) pieces.pop_back();
    std::vector<std::pair<std::size_t, std::size_t>> current;
    std::size_t length = 0;
    const auto take = [&](std::size_t begin, std::size_t end) {
      current.emplace_back(begin, end);
      length += end - begin;
    };
    while (!pieces.empty() && length + pieces.back().second - pieces.back().first <= wrapping.width) {
      take(pieces.back().first, pieces.back().second);
      pieces.pop_back();
    }
    if (!pieces.empty() && pieces.back().second - pieces.back().first > wrapping.width) {
      auto& [begin, end] = pieces.back();
      if (wrapping.break_words) {
        std::size_t room = wrapping.width - length;
        // Where a hyphen is in reach, the word is cut behind the last one, unless only hyphens stand before it.
        if (wrapping.at_hyphens && room > 0) {
          std::size_t hyphen = begin + room;
          while (hyphen > begin && characters[hyphen - 1] != "-") --hyphen;
          const auto other = [&](std::size_t i) { return characters[i] != "-"; };
          std::size_t first = begin;
          while (first < hyphen && !other(first)) ++first;
          if (hyphen > begin + 1 && first + 1 < hyphen) room = hyphen - begin;
        }
        take(begin, begin + room);  // with no room left an empty piece, which is dropped in place of white space
        begin += room;
      } else if (current.empty()) {
        take(begin, end);
        pieces.pop_back();
      }
    }
    if (!current.empty() && blank(current.back())) current.pop_back();
    if (current.empty()) continue;
    if (any) out += wrapping.line_end;
    any = true;
    for (const auto& [begin, end] : current)
      for (std::size_t i = begin; i < end; ++i) out += characters[i];
    charge_copy(wrapping.line_end.size());
    if (out.size() > Value::max_weight) reject("wordwrap: a text of more than {} bytes", Value::max_weight);
  }
  return out;
}

Value wordwrap_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("wordwrap", 4, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const auto flag = [&](std::size_t index, std::string_view name) {
    const Value* const given = arguments.find(index, name);
    return given == nullptr || truth(*given);
  };
  const Value* const width = arguments.find(0, "width");
  if (width != nullptr && (!width->is_integer() || width->as_integer() < 1)) reject("wordwrap needs a width above 0");
  const Value* const line_end = arguments.find(2, "wrapstring");
  const bool own_end = line_end != nullptr && !line_end->is(Kind::none);
  constexpr std::size_t usual_width = 79;
  const Wrapping wrapping{width == nullptr ? usual_width : static_cast<std::size_t>(width->as_integer()),
                          flag(1, "break_long_words"), flag(3, "break_on_hyphens"),
                          own_end ? to_text(*line_end) : "\n"};
  const std::string text = to_text(value);
  std::string out;
  bool first = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!first) out += wrapping.line_end;
    first = false;
    out += wrapped(line, wrapping);
    if (out.size() > Value::max_weight) reject("wordwrap: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out));
}

}  // namespace

FilterTable wrapping_filters() { return {{"wordwrap", wordwrap_filter}}; }

}  // namespace layerboost::jinja
