// Text to evaluate and calibrate on, from users' files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "text/tokenizer.h"

namespace layerboost {

struct TextData {
  std::string name;  // the file's name, for people
  std::string text;
  std::string hash;  // "sha256:<64 hex digits>" of the text
};

/// The bytes of a file or pipe that people wrote text into, without the byte order mark that UTF-8 may begin with.
/// Throws Error for one that begins with UTF-16's.
std::string read_text_file(const fs::path& path);

/// Reads `path`. JSON Lines (a name ending in .jsonl, or a first line that is an object with "text") give their `text`
/// fields, each followed by one newline; any other file is raw UTF-8. Throws Error naming file and line.
TextData read_text(const fs::path& path);

/// The first `count` tokens of `text` (all where it has fewer, or with count 0), without BOS; reads no more of the text
/// than that takes.
std::vector<TokenId> first_tokens(const Tokenizer& tokenizer, std::string_view text, std::size_t count);

/// The lines of a JSON Lines file, each with its place for messages ("FILE:12"); empty lines are left out.
struct FileLine {
  std::string_view text;
  std::string where;
};
std::vector<FileLine> split_lines(std::string_view content, const fs::path& path);

}  // namespace layerboost
