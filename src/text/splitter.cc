#include "text/splitter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/unicode_additions.h"

namespace layerboost {

namespace {

struct Part {
  std::size_t begin = 0, end = 0;
  bool match = false;
};

/// All of `text`, as matches and what is between them. An empty match cuts where it is; right behind another match it
/// is none, as for Oniguruma.
std::vector<Part> parts_of(std::string_view text, const Regex& pattern, pcre2_match_data* data) {
  std::vector<Part> parts;
  const bool additions = may_have_unicode_additions(text);
  std::size_t done = 0, from = 0;
  while (from <= text.size()) {
    const auto match = pattern.find(text, from, data, additions);
    if (!match) break;
    if (match->begin > done) parts.push_back({done, match->begin, false});
    const bool empty = match->end == match->begin;
    if (!empty || parts.empty() || !parts.back().match) parts.push_back({match->begin, match->end, true});
    done = from = match->end;
    if (!empty) continue;
    if (from == text.size()) break;
    from += decode_utf8(text.substr(from)).length;  // the next search begins after the character that follows
  }
  if (done < text.size()) parts.push_back({done, text.size(), false});
  return parts;
}

/// Each match goes to the part before it, unless that is a match, too.
void merge_with_previous(std::vector<Part>& parts) {
  std::vector<Part> merged;
  bool after_match = false;
  for (const Part& part : parts) {
    if (part.match && !after_match && !merged.empty())
      merged.back().end = part.end;
    else
      merged.push_back(part);
    after_match = part.match;
  }
  parts = std::move(merged);
}

/// Each match goes to the part after it, unless that is a match, too.
void merge_with_next(std::vector<Part>& parts) {
  std::vector<Part> merged;
  bool before_match = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->match && !before_match && !merged.empty())
      merged.back().begin = part->begin;
    else
      merged.push_back(*part);
    before_match = part->match;
  }
  std::reverse(merged.begin(), merged.end());
  parts = std::move(merged);
}

void merge_equals(std::vector<Part>& parts) {
  std::vector<Part> merged;
  for (const Part& part : parts) {
    if (!merged.empty() && merged.back().match == part.match)
      merged.back().end = part.end;
    else
      merged.push_back(part);
  }
  parts = std::move(merged);
}

std::string in_alphabet(std::string_view text) {
  std::string spelled;
  spelled.reserve(text.size() * 2);
  for (const char byte : text) spelled += alphabet_char(static_cast<unsigned char>(byte));
  return spelled;
}

std::string with_marks(std::string_view text, std::string_view mark) {
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ')
      marked += mark;
    else
      marked += c;
  }
  return marked;
}

}  // namespace

std::string_view name_of(SplitBehaviour behaviour) {
  switch (behaviour) {
    case SplitBehaviour::isolated:
      return "Isolated";
    case SplitBehaviour::removed:
      return "Removed";
    case SplitBehaviour::merged_with_previous:
      return "MergedWithPrevious";
    case SplitBehaviour::merged_with_next:
      return "MergedWithNext";
    case SplitBehaviour::contiguous:
      return "Contiguous";
  }
  return "";
}

Splitter::Splitter(const std::vector<SplitStep>& steps) {
  for (const SplitStep& rule : steps) {
    Step& step = steps_.emplace_back();
    step.rule = rule;
    if (!rule.pattern.empty()) step.pattern.emplace_back(rule.pattern, Regex::Options{});
  }
}

std::vector<std::string_view> Splitter::cut(const Step& step, std::string_view text, pcre2_match_data* data) const {
  std::vector<Part> parts = parts_of(text, step.pattern.front(), data);
  if (step.rule.invert)
    for (Part& part : parts) part.match = !part.match;
  switch (step.rule.behaviour) {
    case SplitBehaviour::isolated:
      break;
    case SplitBehaviour::removed:
      std::erase_if(parts, [](const Part& part) { return part.match; });
      break;
    case SplitBehaviour::merged_with_previous:
      merge_with_previous(parts);
      break;
    case SplitBehaviour::merged_with_next:
      merge_with_next(parts);
      break;
    case SplitBehaviour::contiguous:
      merge_equals(parts);
      break;
  }
  std::vector<std::string_view> pieces;
  for (const Part& part : parts)
    if (part.end > part.begin) pieces.push_back(text.substr(part.begin, part.end - part.begin));
  return pieces;
}

void Splitter::run(State state, std::string_view text, pcre2_match_data* data, const Piece& piece) const {
  if (state.step == steps_.size()) {
    if (state.spelled)
      piece(alphabet_to_bytes(text));
    else
      piece(text);
    return;
  }
  const Step& step = steps_[state.step];
  const std::string_view space = step.rule.space_mark.empty() ? " " : std::string_view(step.rule.space_mark);
  std::string marked, with_space;
  if (!step.rule.space_mark.empty()) {
    marked = with_marks(text, space);
    text = marked;
  }
  const bool may_prefix = state.begins == Begins::text || (state.begins == Begins::part && !step.rule.first_only);
  if (step.rule.prefix_space && may_prefix && !text.starts_with(space)) {
    with_space.append(space).append(text);
    text = with_space;
  }
  // Without a step that would see the spelling, the bytes can stay as they are.
  const bool spells = step.rule.byte_level && state.step + 1 < steps_.size();
  const auto go_on = [&](std::string_view part) {
    const Begins begins = part.data() == text.data() ? state.begins : Begins::part;
    if (spells)
      run({state.step + 1, true, begins}, in_alphabet(part), data, piece);
    else
      run({state.step + 1, state.spelled, begins}, part, data, piece);
  };
  if (step.pattern.empty()) return go_on(text);
  for (const std::string_view part : cut(step, text, data)) go_on(part);
}

void Splitter::split(std::string_view text, pcre2_match_data* data, const Piece& piece, Begins begins) const {
  if (!text.empty()) run({.begins = begins}, text, data, piece);
}

}  // namespace layerboost
