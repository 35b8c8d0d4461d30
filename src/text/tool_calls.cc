#include "text/tool_calls.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace layerboost {
namespace {

constexpr std::string_view call_begin = "<tool_call>", call_end = "</tool_call>", mistral_opening = "[TOOL_CALLS]",
                           id_begin = "[CALL_ID]", arguments_begin = "[ARGS]", llama3_opening = "<|python_tag|>",
                           white = " \t\r\n";

/// How much of the end of `text` may be the beginning of `word`.
std::size_t begun_at_end(std::string_view text, std::string_view word) {
  std::size_t length = std::min(text.size(), word.size() - 1);
  while (length > 0 && !text.ends_with(word.substr(0, length))) --length;
  return length;
}

/// Reads the beginning of a call up to its arguments: {"name": "...", "arguments": {, or name[ARGS]{
class Header {
 public:
  enum class Is { unfinished, there, another };  // another: something else, in another order, or too long

  explicit Header(std::string_view text) : text_(text.substr(0, longest + 1)) {}

  Is read(ToolFormat format) {
    const bool matches = (format == ToolFormat::mistral_named ? bare() : in_object()) && token("{", false);
    return matches ? Is::there : ended_ && text_.size() <= longest ? Is::unfinished : Is::another;
  }
  [[nodiscard]] std::string name() const { return name_; }
  [[nodiscard]] std::size_t size() const { return at_; }  // of what comes before the arguments

 private:
  /// It is read again with each piece of the text until it is there.
  static constexpr std::size_t longest = 1024;

  bool in_object() {
    return token("{") && token("\"name\"") && token(":") && quoted() && token(",") &&
           (token("\"arguments\"") || (!ended_ && token("\"parameters\""))) && token(":");
  }

  bool bare() {
    name_ = word();
    if (ended_ || name_.empty()) return false;
    if (token(id_begin)) word();
    return !ended_ && token(arguments_begin);
  }

  /// A name or an id, which has the same letters, without the white space in front.
  std::string word() {
    const std::size_t begin = std::min(text_.find_first_not_of(white, at_), text_.size());
    at_ = std::min(text_.find_first_not_of(tool_name_letters, begin), text_.size());
    ended_ = at_ == text_.size();
    return std::string(text_.substr(begin, at_ - begin));
  }

  bool token(std::string_view word, bool take = true) {
    at_ = std::min(text_.find_first_not_of(white, at_), text_.size());
    const std::string_view rest = text_.substr(at_);
    ended_ = word.starts_with(rest) && rest.size() < word.size();
    if (!rest.starts_with(word)) return false;
    if (take) at_ += word.size();
    return true;
  }

  bool quoted() {
    if (!token("\"", false)) return false;
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    ended_ = end >= text_.size();
    if (ended_) return false;
    const SortedJson name = json_or_null(text_.substr(at_, end + 1 - at_));
    at_ = end + 1;
    if (name.is_string()) name_ = name.get<std::string>();
    return !name_.empty();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ended_ = false;
  std::string name_;
};

}  // namespace

std::optional<ToolFormat> tool_format_of(std::string_view chat_template) {
  const auto has = [&](std::string_view word) { return chat_template.find(word) != std::string_view::npos; };
  // Some of these stand beside marks of the forms below.
  for (const char* const other : {"<function=", "<arg_key>", "<|tool_call_start|>", "<|tool_calls_section_begin|>",
                                  "<\uFF5Ctool\u2581calls\u2581begin\uFF5C>", "functools[", "<|channel|>",
                                  "<|tool_call|>", "<|tool_list_start|>", "item['metadata']"})
    if (has(other)) return std::nullopt;
  if (has(call_begin)) return ToolFormat::hermes;
  if (has(mistral_opening)) return has(arguments_begin) ? ToolFormat::mistral_named : ToolFormat::mistral;
  if (has(arguments_begin)) return std::nullopt;
  if (has(llama3_opening) || has("Environment: ipython")) return ToolFormat::llama3;
  return ToolFormat::hermes;
}

std::vector<TokenId> tags_of(ToolFormat format, const Tokenizer& tokenizer) {
  std::vector<std::string_view> texts;
  if (format == ToolFormat::hermes) texts = {call_begin, call_end};
  if (format == ToolFormat::mistral_named) texts = {mistral_opening, id_begin, arguments_begin};
  std::vector<TokenId> tags;
  for (const std::string_view tag : texts) {
    const std::vector<TokenId> tokens = tokenizer.encode(tag);
    if (tokens.size() == 1 && tokenizer.is_special(tokens.front())) tags.push_back(tokens.front());
  }
  return tags;
}

bool tells_of_tools(std::string_view chat_template) { return chat_template.find("tools") != std::string_view::npos; }

ToolCallReader::ToolCallReader(ToolFormat format, bool one_call)
    : format_(format), one_call_(one_call), at_(tag().empty() ? At::start : At::content) {}

/// Stands before each call, which may be anywhere then; empty: calls begin the text.
std::string_view ToolCallReader::tag() const {
  return format_ == ToolFormat::hermes          ? call_begin
         : format_ == ToolFormat::mistral_named ? mistral_opening
                                                : std::string_view();
}

ToolText ToolCallReader::push(std::string_view text) {
  ToolText out;
  held_ += text;
  while (step(out)) {
  }
  return out;
}

/// Takes something from the front of held_; false: more must come first.
bool ToolCallReader::step(ToolText& out) {
  if (held_.empty()) return false;
  switch (at_) {
    case At::start:
      return at_start();
    case At::content:
      return in_content(out);
    case At::call:
      return in_call(out);
    case At::arguments:
      return in_arguments(out);
    case At::rest:
      return in_rest();
    case At::after:
      return after_call();
    case At::nothing:
      held_.clear();
      return false;
  }
  return false;
}

/// Of a text that begins with calls or is all content. What opens calls is a control token, and in the text only where
/// such are asked for.
bool ToolCallReader::at_start() {
  put_space_aside();
  const std::string_view opening = format_ == ToolFormat::mistral ? mistral_opening : llama3_opening;
  if (!opened_ && held_.size() < opening.size() && opening.starts_with(held_)) return false;
  if (!opened_ && held_.starts_with(opening)) {
    opened_ = true;
    space_ += opening;
    held_.erase(0, opening.size());
    put_space_aside();
  }
  return !held_.empty() && call_or_content(format_ == ToolFormat::mistral ? "[" : "");
}

/// A call that stands after `opening`, or content. Requires: something is held, and it isn't white space.
bool ToolCallReader::call_or_content(std::string_view opening) {
  const bool opens = held_.starts_with(opening);
  const Header::Is is =
      opens ? Header(std::string_view(held_).substr(opening.size())).read(format_) : Header::Is::another;
  if (is == Header::Is::unfinished) return false;
  if (is == Header::Is::there) held_.erase(0, opening.size());
  at_ = is == Header::Is::there ? At::call : At::content;
  return true;
}

bool ToolCallReader::in_content(ToolText& out) {
  if (tag().empty()) {
    give_content(std::exchange(held_, {}), out);
    return false;
  }
  const std::size_t begin = held_.find(tag());
  const std::size_t sure = begin != std::string::npos ? begin : held_.size() - begun_at_end(held_, tag());
  give_content(std::string_view(held_).substr(0, sure), out);
  held_.erase(0, sure);
  if (begin == std::string::npos) return false;
  held_.erase(0, tag().size());
  searched_ = 0;
  at_ = At::call;
  return true;
}

/// Gives `text` but for the white space at its end, which comes before the next one, unless a call does.
void ToolCallReader::give_content(std::string_view text, ToolText& out) {
  const std::size_t last = text.find_last_not_of(white);
  if (last != std::string_view::npos) {
    out.content += std::exchange(space_, {});
    out.content += text.substr(0, last + 1);
    text.remove_prefix(last + 1);
  }
  space_ += text;
}

/// Takes white space from the front of held_ as give_content() does.
void ToolCallReader::put_space_aside() {
  const std::size_t length = std::min(held_.find_first_not_of(white), held_.size());
  space_.append(held_, 0, length);
  held_.erase(0, length);
}

bool ToolCallReader::in_call(ToolText& out) {
  Header header(held_);
  const Header::Is is = searched_ > 0 ? Header::Is::another : header.read(format_);  // as was seen before
  if (is == Header::Is::unfinished) return false;
  if (is == Header::Is::there) {
    begin_call(header.name(), out);
    held_.erase(0, header.size());
    depth_ = 0;
    in_text_ = escaped_ = false;
    at_ = At::arguments;
    return true;
  }
  const std::size_t begin = held_.find_first_not_of(white);
  if (format_ != ToolFormat::hermes || begin == std::string::npos || held_[begin] != '{') {
    at_ = At::content;
    give_content(tag(), out);
    return true;
  }
  const std::size_t end = held_.find(call_end, searched_);
  if (end == std::string::npos) {
    searched_ = held_.size() - begun_at_end(held_, call_end);
    return false;
  }
  const std::string json = held_.substr(0, end);
  held_.erase(0, end + call_end.size());
  at_ = At::content;
  if (!whole_call(json, out))
    give_content(std::string(call_begin) + json + std::string(call_end), out);
  else if (one_call_)
    at_ = At::nothing;
  return true;
}

/// A call in another order, or whose arguments are no object.
bool ToolCallReader::whole_call(std::string_view json, ToolText& out) {
  const SortedJson call = json_or_null(json);
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return false;
  const char* const key = call.contains("arguments") ? "arguments" : "parameters";
  if (!call.contains(key) || call["name"].get_ref<const std::string&>().empty()) return false;
  const SortedJson& arguments = call[key];
  begin_call(call["name"].get<std::string>(), out);
  out.pieces.back().arguments = arguments.is_string() ? arguments.get<std::string>()
                                : arguments.is_null() ? "{}"
                                                      : arguments.dump();
  return true;
}

void ToolCallReader::begin_call(std::string name, ToolText& out) {
  space_.clear();
  out.pieces.push_back({calls_++, std::move(name), ""});
}

/// Reads on in JSON, up to the bracket that closes what is open, or to a tag, which no JSON has outside of its texts.
ToolCallReader::JsonPart ToolCallReader::read_json() {
  for (std::size_t i = 0; i < held_.size(); ++i) {
    const char c = held_[i];
    if (in_text_) {
      if (!std::exchange(escaped_, !escaped_ && c == '\\') && c == '"') in_text_ = false;
    } else if (c == '<' && format_ == ToolFormat::hermes) {
      return {i, true};
    } else if (c == '[' && format_ == ToolFormat::mistral_named && (i + 1 == held_.size() || held_[i + 1] == 'T')) {
      return {i, i + 1 < held_.size()};
    } else if (c == '"') {
      in_text_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      return {i + 1, true};
    }
  }
  return {held_.size(), false};
}

bool ToolCallReader::in_arguments(ToolText& out) {
  const JsonPart json = read_json();
  if (out.pieces.empty() && json.length > 0) out.pieces.push_back({calls_ - 1, "", ""});
  if (json.length > 0) out.pieces.back().arguments.append(held_, 0, json.length);
  held_.erase(0, json.length);
  if (!json.ends) return false;
  depth_ = 1;  // of the call's own object
  at_ = one_call_ ? At::nothing : format_ == ToolFormat::mistral_named ? At::content : At::rest;
  return true;
}

/// From a call's arguments to the end of its object: some models give it an id.
bool ToolCallReader::in_rest() {
  const JsonPart json = read_json();
  held_.erase(0, json.length);
  if (json.ends) at_ = At::after;
  return json.ends;
}

/// From a call's object to the next call, or to content.
bool ToolCallReader::after_call() {
  put_space_aside();
  if (held_.empty()) return false;
  if (format_ == ToolFormat::llama3) return call_or_content(";");
  if (format_ == ToolFormat::mistral && !held_.starts_with(']')) return call_or_content(",");
  const std::string_view end = format_ == ToolFormat::hermes ? call_end : "]";
  if (held_.size() < end.size() && end.starts_with(held_)) return false;
  if (held_.starts_with(end)) held_.erase(0, end.size());
  at_ = At::content;
  return true;
}

ToolText ToolCallReader::finish() {
  ToolText out;
  const std::string rest = std::exchange(held_, {});
  switch (at_) {
    case At::start:
    case At::content:
      give_content(rest, out);
      break;
    case At::call:
      if (format_ != ToolFormat::hermes || !whole_call(rest, out)) give_content(std::string(tag()) + rest, out);
      break;
    case At::arguments:
      if (!rest.empty()) out.pieces.push_back({calls_ - 1, "", rest});
      break;
    case At::rest:
    case At::after:  // the beginning of an end or of another call
    case At::nothing:
      break;
  }
  if (calls_ == 0) out.content += std::exchange(space_, {});
  at_ = At::nothing;
  return out;
}

}  // namespace layerboost
