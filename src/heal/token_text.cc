#include "heal/token_text.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/sealed_file.h"
#include "base/utf8.h"

namespace layerboost {
namespace {

// Pieces are tokenised together, as many as make up so much text.
constexpr std::size_t group_bytes = std::size_t{4} << 20;
// Plain text is cut into pieces of about this size, at the end of a line.
constexpr std::size_t piece_bytes = std::size_t{64} << 10;

bool is_json_lines(const fs::path& path) { return path.extension() == ".jsonl"; }

/// A part of the file that is tokenised by itself: a line of JSON, or some lines of plain text.
struct Piece {
  std::string_view bytes;
  std::size_t line = 0;  // the number of its first
};

/// Cuts a file into pieces, one after the other.
class PieceReader {
 public:
  PieceReader(std::string_view content, bool lines) : rest_(content), lines_(lines) {}

  /// Nothing left: a piece without bytes.
  Piece next() {
    Piece piece{rest_, line_};
    std::size_t end = lines_ ? 0 : std::min(piece_bytes, rest_.size());
    end = rest_.find('\n', end);
    end = end == std::string_view::npos ? rest_.size() : end + 1;
    // A run of line ends is one token: it isn't cut.
    while (!lines_ && end < rest_.size() && (rest_[end] == '\n' || rest_[end] == '\r')) ++end;
    piece.bytes = rest_.substr(0, end);
    rest_.remove_prefix(end);
    line_ += static_cast<std::size_t>(std::count(piece.bytes.begin(), piece.bytes.end(), '\n'));
    return piece;
  }

 private:
  std::string_view rest_;
  bool lines_;
  std::size_t line_ = 1;
};

std::string text_of_line(std::string_view line, const std::string& where) {
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  return get<std::string>(parse_json(line, where), "text", where) + "\n";
}

std::vector<TokenId> tokens_of(const Tokenizer& tokenizer, const Piece& piece, const fs::path& path) {
  const std::string where = fmt::format("{}:{}", path.string(), piece.line);
  if (valid_utf8_prefix(piece.bytes) != piece.bytes.size()) {
    const auto bad = static_cast<std::ptrdiff_t>(valid_utf8_prefix(piece.bytes));
    const auto line =
        piece.line + static_cast<std::size_t>(std::count(piece.bytes.begin(), piece.bytes.begin() + bad, '\n'));
    fail("{}:{}: not UTF-8: text must be UTF-8, plain or JSON Lines with \"text\"", path.string(), line);
  }
  if (is_json_lines(path)) return tokenizer.encode(text_of_line(piece.bytes, where), false);
  return piece.line == 1 ? tokenizer.encode(piece.bytes, false) : tokenizer.encode_rest(piece.bytes, false);
}

/// Tokenises a group of pieces on all threads. Errors are those of the first piece that has one.
std::vector<std::vector<TokenId>> tokenize(const Tokenizer& tokenizer, const std::vector<Piece>& pieces,
                                           const fs::path& path) {
  std::vector<std::vector<TokenId>> tokens(pieces.size());
  std::vector<std::exception_ptr> errors(pieces.size());
#pragma omp parallel for schedule(dynamic)
  for (std::ptrdiff_t i = 0; i < std::ssize(pieces); ++i) {
    const auto at = static_cast<std::size_t>(i);
    try {
      tokens[at] = tokens_of(tokenizer, pieces[at], path);
    } catch (...) {
      errors[at] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return tokens;
}

void write_tokens(const Model& model, const MappedFile& text, const fs::path& output) {
  SealedWriter writer(output);
  PieceReader reader(text.text(), is_json_lines(text.path()));
  Progress progress("tokenize", static_cast<std::int64_t>(text.text().size()), "bytes");
  std::size_t total = 0;
  for (bool more = true; more;) {
    check_interrupt("stopped; the same command starts again");
    std::vector<Piece> group;
    std::size_t bytes = 0;
    while (more && bytes < group_bytes) {
      const Piece piece = reader.next();
      more = !piece.bytes.empty();
      if (more) group.push_back(piece);
      bytes += piece.bytes.size();
    }
    for (const std::vector<TokenId>& tokens : tokenize(model.text(), group, text.path())) {
      for (const TokenId token : tokens)
        if (token >= model.config.vocab)
          fail("{}: {} in the text is token {}, and the model has {} embeddings", text.path().string(),
               in_quotes(model.text().bytes(token)), token, model.config.vocab);
      writer.write(std::span<const TokenId>(tokens));
      total += tokens.size();
    }
    progress.advance(static_cast<std::int64_t>(bytes));
  }
  if (total == 0) fail("{}: no text in it", text.path().string());
  writer.finish();
}

/// What the cache has at `path`: nothing where that is missing or damaged.
std::optional<TokenText> read_cached(const fs::path& path, const std::string& hash, int vocab) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  try {
    TokenText text{MappedFile(path), {}, hash};
    if (const auto bytes = unsealed(text.file.text()); bytes && bytes->size() % sizeof(TokenId) == 0) {
      text.tokens = {reinterpret_cast<const TokenId*>(bytes->data()), bytes->size() / sizeof(TokenId)};
      const auto unknown = [&](TokenId id) { return id < 0 || id >= vocab; };
      if (std::none_of(text.tokens.begin(), text.tokens.end(), unknown)) return text;
    }
  } catch (const Error&) {  // such as an empty file
  }
  warn("{} is damaged: its text is tokenised again", path.string());
  return {};
}

}  // namespace

TokenText read_token_text(const Model& model, const fs::path& path) {
  const MappedFile text(path);
  const std::string hash = content_hash(text.text());
  const std::string key = sha256(hash + model.hash + (is_json_lines(path) ? " lines 3" : " plain 3"));
  const fs::path cached = cache_dir() / "tokens" / (key.substr(0, 32) + ".bin");
  if (auto found = read_cached(cached, hash, model.config.vocab)) return std::move(*found);
  write_tokens(model, text, cached);
  if (auto written = read_cached(cached, hash, model.config.vocab)) return std::move(*written);
  fail("{} can't be read back as it was written: the disk is failing", cached.string());
}

}  // namespace layerboost
