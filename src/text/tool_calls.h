// Calls of tools in what a model writes: found as the text comes, in the form that its template taught it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// How calls are written, each an object with "name" and "arguments" (or "parameters").
enum class ToolFormat {
  hermes,   // <tool_call>{...}</tool_call>, among other text (Hermes, Qwen)
  llama3,   // {...}; {...}: the whole text
  mistral,  // [{...}, {...}]: the whole text
};

/// The form that a chat template shows; hermes where it shows none; nullopt: one that isn't read.
std::optional<ToolFormat> tool_format_of(std::string_view chat_template);

/// What is new of a text with calls in it.
struct ToolText {
  struct Piece {
    int call = 0;           // its index
    std::string name;       // with the first piece of a call, and only then
    std::string arguments;  // JSON, or a part of it
  };
  std::string content;  // what is no call
  std::vector<Piece> pieces;
};

/// Takes a text apart as it comes. What turns out to be no call is content.
class ToolCallReader {
 public:
  /// `one_call`: nothing that comes after the first is given.
  explicit ToolCallReader(ToolFormat format, bool one_call = false);

  ToolText push(std::string_view text);
  /// What was held back, at the end of the text.
  ToolText finish();
  /// Calls so far.
  [[nodiscard]] int calls() const { return calls_; }

 private:
  enum class At { start, content, call, arguments, after, nothing };

  bool step(ToolText& out);
  bool at_start(ToolText& out);
  bool in_content(ToolText& out);
  bool in_call(ToolText& out);
  bool in_arguments(ToolText& out);
  bool after_arguments();
  void give_content(std::string_view text, ToolText& out);
  bool whole_call(std::string_view json, ToolText& out);
  void begin_call(std::string name, ToolText& out);
  [[nodiscard]] bool is_whole_text() const { return format_ != ToolFormat::hermes; }

  ToolFormat format_;
  bool one_call_;
  At at_;
  std::string held_;   // not yet taken apart
  std::string space_;  // white space after content, which isn't given if a call follows
  int calls_ = 0;
  int depth_ = 0;  // of objects and lists in arguments
  bool in_text_ = false, escaped_ = false;
};

}  // namespace layerboost
