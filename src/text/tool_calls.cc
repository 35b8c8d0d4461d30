#include "text/tool_calls.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace layerboost {
namespace {

constexpr std::string_view call_begin = "<tool_call>", call_end = "</tool_call>", white = " \t\r\n";

/// How much of the end of `text` may be the beginning of `word`.
std::size_t begun_at_end(std::string_view text, std::string_view word) {
  std::size_t length = std::min(text.size(), word.size() - 1);
  while (length > 0 && !text.ends_with(word.substr(0, length))) --length;
  return length;
}

/// Reads the beginning of a call up to its arguments: {"name": "...", "arguments": {
class Header {
 public:
  enum class Is { unfinished, there, another };  // another: something else, or not in this order

  explicit Header(std::string_view text) : text_(text) {}

  Is read() {
    const bool matches = token("{") && token("\"name\"") && token(":") && quoted() && token(",") &&
                         (token("\"arguments\"") || (!ended_ && token("\"parameters\""))) && token(":") &&
                         token("{", false);
    return matches ? Is::there : ended_ ? Is::unfinished : Is::another;
  }
  [[nodiscard]] std::string name() const { return name_; }
  [[nodiscard]] std::size_t size() const { return at_; }  // of what comes before the arguments

 private:
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
  for (const char* const other : {"<function=", "<arg_key>", "<|tool_call_start|>", "<|tool_calls_section_begin|>",
                                  "<\uFF5Ctool\u2581calls\u2581begin\uFF5C>", "[ARGS]", "functools["})
    if (has(other)) return std::nullopt;
  if (has(call_begin)) return ToolFormat::hermes;
  if (has("[TOOL_CALLS]")) return ToolFormat::mistral;
  if (has("<|python_tag|>") || has("Environment: ipython")) return ToolFormat::llama3;
  return ToolFormat::hermes;
}

ToolCallReader::ToolCallReader(ToolFormat format, bool one_call)
    : format_(format), one_call_(one_call), at_(is_whole_text() ? At::start : At::content) {}

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
      return at_start(out);
    case At::content:
      return in_content(out);
    case At::call:
      return in_call(out);
    case At::arguments:
      return in_arguments(out);
    case At::after:
      return after_arguments();
    case At::nothing:
      held_.clear();
      return false;
  }
  return false;
}

/// Of a text that is either calls or content.
bool ToolCallReader::at_start(ToolText& out) {
  const std::size_t begin = held_.find_first_not_of(white);
  if (begin == std::string::npos) return false;
  const std::size_t skip = begin + (format_ == ToolFormat::mistral ? 1 : 0);
  Header header(std::string_view(held_).substr(std::min(skip, held_.size())));
  const bool opens = format_ == ToolFormat::llama3 || held_[begin] == '[';
  const Header::Is is = opens ? header.read() : Header::Is::another;
  if (is == Header::Is::unfinished) return false;
  if (is == Header::Is::another) {
    at_ = At::content;
    give_content(std::exchange(held_, {}), out);
    return false;
  }
  held_.erase(0, skip);
  at_ = At::call;
  return true;
}

bool ToolCallReader::in_content(ToolText& out) {
  if (is_whole_text()) {
    give_content(std::exchange(held_, {}), out);
    return false;
  }
  const std::size_t begin = held_.find(call_begin);
  const std::size_t sure = begin != std::string::npos ? begin : held_.size() - begun_at_end(held_, call_begin);
  give_content(std::string_view(held_).substr(0, sure), out);
  held_.erase(0, sure);
  if (begin == std::string::npos) return false;
  held_.erase(0, call_begin.size());
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

bool ToolCallReader::in_call(ToolText& out) {
  Header header(held_);
  const Header::Is is = header.read();
  if (is == Header::Is::there) {
    begin_call(header.name(), out);
    held_.erase(0, header.size());
    depth_ = 0;
    in_text_ = escaped_ = false;
    at_ = At::arguments;
    return true;
  }
  const std::size_t end = held_.find(call_end);
  if (is == Header::Is::unfinished && end == std::string::npos) return false;
  if (is_whole_text()) {  // after the first call there is nothing that would be content
    at_ = At::nothing;
    return true;
  }
  if (end == std::string::npos) return false;
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
  begin_call(call["name"].get<std::string>(), out);
  out.pieces.back().arguments = call[key].is_string() ? call[key].get<std::string>() : call[key].dump();
  return true;
}

void ToolCallReader::begin_call(std::string name, ToolText& out) {
  space_.clear();
  out.pieces.push_back({calls_++, std::move(name), ""});
}

bool ToolCallReader::in_arguments(ToolText& out) {
  std::size_t end = 0;
  bool closed = false;
  for (; end < held_.size() && !closed; ++end) {
    const char c = held_[end];
    if (in_text_) {
      if (!std::exchange(escaped_, !escaped_ && c == '\\') && c == '"') in_text_ = false;
    } else if (c == '"') {
      in_text_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      closed = --depth_ == 0;
    }
  }
  if (out.pieces.empty()) out.pieces.push_back({calls_ - 1, "", ""});
  out.pieces.back().arguments += held_.substr(0, end);
  held_.erase(0, end);
  if (closed) at_ = At::after;
  return closed;
}

/// From a call's arguments to the next call, or its end.
bool ToolCallReader::after_arguments() {
  if (one_call_) {
    at_ = At::nothing;
    return true;
  }
  if (!is_whole_text()) {
    const std::size_t end = held_.find(call_end);
    if (end == std::string::npos) return false;
    held_.erase(0, end + call_end.size());
    at_ = At::content;
    return true;
  }
  const std::size_t next = held_.find(format_ == ToolFormat::mistral ? ',' : ';');
  if (next == std::string::npos) return false;
  held_.erase(0, next + 1);
  at_ = At::call;
  return true;
}

ToolText ToolCallReader::finish() {
  ToolText out;
  std::string rest = std::exchange(held_, {});
  switch (at_) {
    case At::start:
    case At::content:
      give_content(rest, out);
      if (calls_ == 0) out.content += std::exchange(space_, {});
      break;
    case At::call:
      if (!is_whole_text() && !whole_call(rest, out)) give_content(std::string(call_begin) + rest, out);
      break;
    case At::arguments:
    case At::after:
    case At::nothing:
      break;
  }
  at_ = At::nothing;
  return out;
}

}  // namespace layerboost
