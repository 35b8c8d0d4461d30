#include "net/arrival_trace.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

constexpr std::string_view trace_header = "TIMESTAMP,ContextTokens,GeneratedTokens";
constexpr int most_tokens = 1 << 24;

/// Reads a line from its beginning. What it doesn't find, it leaves.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  bool skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  /// All digits that follow, at least `least` and at most `most` of them; `digits` is their number.
  std::optional<std::int64_t> number(std::size_t least, std::size_t most, std::size_t* digits = nullptr) {
    const std::size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (count < least || count > most) return {};
    std::int64_t value = 0;
    std::from_chars(rest_.data(), rest_.data() + count, value);
    rest_.remove_prefix(count);
    if (digits != nullptr) *digits = count;
    return value;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

/// Nanoseconds since 1970 of "2023-11-16 18:15:46.6805900".
std::optional<std::int64_t> read_time(LineReader& line) {
  constexpr std::string_view before[] = {"", "-", "-", " ", ":", ":"};
  std::int64_t parts[6];
  for (std::size_t i = 0; i < 6; ++i) {
    if (!line.skip(before[i])) return {};
    const std::size_t width = i == 0 ? 4 : 2;
    const auto part = line.number(width, width);
    if (!part) return {};
    parts[i] = *part;
  }
  std::int64_t nanoseconds = 0;
  if (line.skip(".")) {
    std::size_t digits = 0;
    const auto fraction = line.number(1, 9, &digits);
    if (!fraction) return {};
    nanoseconds = *fraction;
    for (; digits < 9; ++digits) nanoseconds *= 10;
  }
  line.skip("+00:00");
  const std::chrono::year_month_day day(std::chrono::year(static_cast<int>(parts[0])),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2])));
  // What the sum holds in 64 bits.
  if (!day.ok() || parts[0] < 1970 || parts[0] > 2200 || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return {};
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5];
  return seconds * 1'000'000'000 + nanoseconds;
}

std::optional<int> read_tokens(LineReader& line) {
  const auto count = line.number(1, 9);
  if (!count || *count < 1 || *count > most_tokens) return {};
  return static_cast<int>(*count);
}

/// The lines of a trace, one after the other.
class TraceLines {
 public:
  TraceLines(std::string_view text, std::string_view where) : rest_(text), where_(where) {}

  /// Goes on to the next line; false: there is none, and the line is empty.
  bool next() {
    ++number_;
    line_ = rest_.substr(0, rest_.find('\n'));
    const bool any = !rest_.empty();
    rest_.remove_prefix(std::min(line_.size() + 1, rest_.size()));
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    return any;
  }
  [[nodiscard]] std::string_view line() const { return line_; }

  [[noreturn]] void refuse(std::string_view must_be) const {
    fail("{}:{}: {}: {}", where_, number_, must_be, in_quotes(line_));
  }

 private:
  std::string_view rest_, line_;
  std::string where_;
  int number_ = 0;
};

}  // namespace

std::vector<TracedRequest> parse_trace(std::string_view text, std::string_view where) {
  TraceLines lines(text, where);
  lines.next();
  if (lines.line() != trace_header) lines.refuse(fmt::format("a trace begins with the line {}", trace_header));
  const std::string count = fmt::format("must be a whole number from 1 to {}", most_tokens);
  std::vector<TracedRequest> trace;
  std::int64_t first = 0, last = 0;
  while (lines.next()) {
    LineReader line(lines.line());
    const auto time = read_time(line);
    if (!time || !line.skip(",")) lines.refuse("TIMESTAMP must be a time such as 2023-11-16 18:15:46.6805900");
    const auto prompt = read_tokens(line);
    if (!prompt || !line.skip(",")) lines.refuse("ContextTokens " + count);
    const auto generated = read_tokens(line);
    if (!generated || !line.at_end()) lines.refuse("GeneratedTokens " + count);
    if (trace.empty()) first = last = *time;
    if (*time < last) lines.refuse("TIMESTAMP must be no earlier than in the line before");
    last = *time;
    trace.push_back({static_cast<double>(last - first) * 1e-9, *prompt, *generated});
  }
  if (trace.empty()) fail("{}: no requests stand below its first line", where);
  return trace;
}

std::vector<TracedRequest> read_trace(const std::filesystem::path& path) {
  return parse_trace(read_file_or_pipe(path), path.string());
}

}  // namespace layerboost
