// Calls of tools in what a model writes: found as the text comes, in the form that its template taught it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// How calls are written, each an object with "name" and "arguments" (or "parameters"), or its name and its arguments.
enum class ToolFormat {
  hermes,         // <tool_call>{...}</tool_call>, among other text (Hermes, Qwen)
  llama3,         // {...}; {...}: at the beginning of the text, or after <|python_tag|> there
  mistral,        // [{...}, {...}]: at the beginning of the text, or after [TOOL_CALLS] there
  mistral_named,  // [TOOL_CALLS]name[ARGS]{...}, also name[CALL_ID]id, among other text (since Mistral Small 3.2)
};

/// What names of tools consist of.
inline constexpr std::string_view tool_name_letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

/// The form that a chat template shows; hermes where it shows none; nullopt: one that isn't read.
std::optional<ToolFormat> tool_format_of(std::string_view chat_template);

/// The control tokens that stand around calls, and that their reader needs in the text; empty: these tags are text.
std::vector<TokenId> tags_of(ToolFormat format, const Tokenizer& tokenizer);

/// Whether a chat template tells the model of tools.
bool tells_of_tools(std::string_view chat_template);

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

/// Takes a text apart as it comes, in time proportional to it. What turns out to be no call is content. Arguments are
/// given as they come, and needn't be valid JSON in the end.
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
  enum class At { start, content, call, arguments, rest, after, nothing };

  bool step(ToolText& out);
  bool at_start();
  bool call_or_content(std::string_view opening);
  bool in_content(ToolText& out);
  bool in_call(ToolText& out);
  bool in_arguments(ToolText& out);
  bool in_rest();
  bool after_call();
  /// What of held_ can be taken as JSON, and whether that ends there; else it goes on.
  struct JsonPart {
    std::size_t length;
    bool ends;
  };
  JsonPart read_json();
  void give_content(std::string_view text, ToolText& out);
  void put_space_aside();
  bool whole_call(std::string_view json, ToolText& out);
  void begin_call(std::string name, ToolText& out);
  [[nodiscard]] std::string_view tag() const;

  ToolFormat format_;
  bool one_call_;
  At at_;
  std::string held_;          // not yet taken apart
  std::string space_;         // white space after content, and what opens calls: not given if a call follows
  bool opened_ = false;       // what opens calls has come
  std::size_t searched_ = 0;  // bytes of held_ in which a call doesn't end
  int calls_ = 0;
  int depth_ = 0;  // of objects and lists in a call
  bool in_text_ = false, escaped_ = false;
};

}  // namespace layerboost
