#include "text/plain_messages.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "text/nfc.h"

namespace layerboost {

namespace {

// The language writes them as they are everywhere: is_mark() of jinja/text.h.
constexpr std::string_view open_mark = "\uFDD0", close_mark = "\uFDD1", in_place_of_mark = "\uFFFD";

std::string normalised(std::string_view text, const Tokenizer& tokenizer) {
  const bool valid = valid_utf8_prefix(text) == text.size();
  return tokenizer.rewritten(valid && may_change_under_nfc(text) ? to_nfc(text) : std::string(text));
}

std::vector<AddedToken> control_tokens(const Tokenizer& tokenizer) {
  std::vector<AddedToken> controls;
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    const std::string_view bytes = tokenizer.bytes(id);
    if (tokenizer.is_special(id) && !bytes.empty())
      for (std::string content : {std::string(bytes), normalised(bytes, tokenizer)})
        controls.push_back({.id = id, .content = std::move(content), .special = true});
  }
  return controls;
}

// Where the first mark of `text` begins; its size: it has none.
std::size_t first_mark(std::string_view text) {
  const std::string_view beginning = open_mark.substr(0, 2);  // of both, and of few other characters
  std::size_t at = text.find(beginning);
  while (at < text.size() && !text.substr(at).starts_with(open_mark) && !text.substr(at).starts_with(close_mark))
    at = text.find(beginning, at + 1);
  return std::min(at, text.size());
}

void append_without_marks(std::string_view text, std::string& out) {
  for (std::size_t at = first_mark(text); at < text.size(); at = first_mark(text)) {
    (out += text.substr(0, at)) += in_place_of_mark;
    text.remove_prefix(at + open_mark.size());
  }
  out += text;
}

}  // namespace

PlainMessages::PlainMessages(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), controls_(control_tokens(tokenizer)) {}

std::string PlainMessages::marked_text(std::string_view text, bool goes_on) const {
  // Normalisation may make a control token of what is none yet ("<;end>" of a Greek question mark).
  const std::string normal = normalised(text, tokenizer_);
  if (normal != text && (controls_.find(normal, 0).id >= 0 || controls_.beginning_at_end(normal) > 0)) text = normal;
  std::string out;
  const auto mark = [&](std::string_view part) { ((out += open_mark) += part) += close_mark; };
  const std::size_t end = text.size() - (goes_on ? controls_.beginning_at_end(text) : 0);
  std::size_t at = 0;
  while (at < end) {
    const AddedTokenMatcher::Match control = controls_.find(text, at, end);
    const std::size_t begin = std::min(control.begin, end);
    append_without_marks(text.substr(at, begin - at), out);
    if (control.id >= 0) mark(text.substr(begin, control.end - begin));
    at = control.id >= 0 ? control.end : end;
  }
  if (at < text.size()) mark(text.substr(at));
  return out;
}

std::string PlainMessages::marked_name(std::string_view name) const {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return marked_text(name, name.find_first_not_of(letters) != std::string_view::npos);
}

Json PlainMessages::marked(const Json& json) const {
  if (json.is_string()) return marked_text(json.get_ref<const std::string&>(), true);
  if (json.is_array()) {
    Json list = Json::array();
    for (const Json& item : json) list.push_back(marked(item));
    return list;
  }
  if (!json.is_object()) return json;
  Json::object_t members;
  // As of a vector: ordered_map's own functions look at every key there is.
  auto& pairs = static_cast<Json::object_t::Container&>(members);
  for (const auto& [key, value] : json.items()) {
    const bool compared = value.is_string() && (key == "role" || key == "type");
    Json inside = compared ? Json(marked_name(value.get_ref<const std::string&>())) : marked(value);
    pairs.emplace_back(marked_name(key), std::move(inside));
  }
  return Json(std::move(members));
}

// Whether `text` is all that marked_text() puts between two marks.
bool PlainMessages::is_marked_whole(std::string_view text) const {
  const AddedTokenMatcher::Match control = controls_.find(text, 0, 1);
  return (control.id >= 0 && control.end == text.size()) || controls_.beginning_at_end(text) == text.size();
}

PlainMessages::Encoded PlainMessages::encode(std::string_view rendered) const {
  Encoded encoded;
  std::vector<TextRange> plain;
  bool opened = false;
  while (true) {
    const std::string_view piece = rendered.substr(0, first_mark(rendered));
    const std::size_t begin = encoded.text.size(), end = begin + piece.size();
    encoded.text += piece;
    rendered.remove_prefix(piece.size());
    // Where the template has cut a marked text, nothing stands between the user's and its own. Only the byte beside the
    // mark is sure to be the user's, which is enough for what begins or ends with it.
    const bool closed = rendered.starts_with(close_mark);
    if (!piece.empty() && opened) plain.push_back({begin, is_marked_whole(piece) ? end : begin + 1});
    if (!piece.empty() && closed && (!opened || plain.back().end < end)) plain.push_back({end - 1, end});
    if (rendered.empty()) break;
    opened = rendered.starts_with(open_mark);
    rendered.remove_prefix(open_mark.size());
  }
  encoded.tokens = tokenizer_.encode(encoded.text, plain);
  return encoded;
}

}  // namespace layerboost
