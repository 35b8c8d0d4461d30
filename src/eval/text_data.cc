#include "eval/text_data.h"

#include <algorithm>

#include "base/json.h"

namespace layerboost {
namespace {

bool is_json_lines(std::string_view content, const fs::path& path) {
  if (path.extension() == ".jsonl") return true;
  if (!content.starts_with('{')) return false;
  const SortedJson first = json_or_null(content.substr(0, content.find('\n')));
  return first.is_object() && first.contains("text") && first["text"].is_string();
}

std::string join_texts(std::string_view content, const fs::path& path) {
  std::string text;
  for (const FileLine& line : split_lines(content, path)) {
    text += get<std::string>(parse_json(line.text, line.where), "text", line.where);
    text += '\n';
  }
  return text;
}

}  // namespace

std::vector<FileLine> split_lines(std::string_view content, const fs::path& path) {
  std::vector<FileLine> lines;
  std::size_t number = 0;
  while (!content.empty()) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos)
      lines.push_back({line, fmt::format("{}:{}", path.string(), number)});
  }
  return lines;
}

std::string read_text_file(const fs::path& path) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  std::string text = read_file_or_pipe(path);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail("{}: the file is in UTF-16, as Windows writes it; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)", path.string());
  if (text.starts_with(mark)) text.erase(0, mark.size());
  return text;
}

TextData read_text(const fs::path& path) {
  TextData data;
  data.name = path.filename().string();
  data.text = read_text_file(path);
  if (is_json_lines(data.text, path)) data.text = join_texts(data.text, path);
  if (data.text.empty()) fail("{}: no text in it", path.string());
  data.hash = content_hash(data.text);
  return data;
}

std::vector<TokenId> first_tokens(const Tokenizer& tokenizer, std::string_view text, std::size_t count) {
  if (count == 0) return tokenizer.encode(text);
  // Cutting the text can change only the tokens near the cut: those are far behind the ones that are asked for.
  constexpr std::size_t margin = 256;
  for (std::size_t bytes = 6 * (count + margin);; bytes *= 2) {
    std::vector<TokenId> tokens = tokenizer.encode(text.substr(0, bytes));
    if (bytes < text.size() && tokens.size() < count + margin) continue;
    tokens.resize(std::min(tokens.size(), count));
    return tokens;
  }
}

}  // namespace layerboost
