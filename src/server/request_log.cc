#include "server/request_log.h"

#include <fmt/format.h>

#include <string_view>

namespace layerboost {
namespace {

/// Returns a text as one word, at most 200 characters of it; what isn't printable, and what would end a value, as %XX.
std::string as_one_word(std::string_view text) {
  constexpr std::size_t longest = 200;
  if (text.empty()) return "-";
  std::string result;
  for (const char c : text) {
    const bool plain = c > ' ' && c <= '~' && c != '"' && c != '%';
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    if (result.size() > longest) return result.substr(0, longest) + "...";
  }
  return result;
}

std::string seconds_or_none(const std::optional<double>& value) { return value ? fmt::format("{:.3f}", *value) : "-"; }

std::string count_or_none(const std::optional<std::size_t>& value) { return value ? fmt::format("{}", *value) : "-"; }

std::string utc(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

std::string request_line(const RequestRecord& record, std::time_t now, bool with_levels) {
  const RequestFigures& figures = record.figures;
  std::string line = fmt::format(
      "request time={} id={} method={} path={} status={} queued_s={} first_token_s={} total_s={:.3f} "
      "prompt_tokens={} generated_tokens={}",
      utc(now), as_one_word(record.id), as_one_word(record.method), as_one_word(record.path), record.status,
      seconds_or_none(figures.queued), seconds_or_none(figures.first_token), record.seconds,
      count_or_none(figures.prompt_tokens), count_or_none(figures.generated_tokens));
  if (!with_levels) return line;
  return line += figures.levels ? fmt::format(" first_level={} level={}", figures.levels->first, figures.levels->last)
                                : " first_level=- level=-";
}

}  // namespace layerboost
