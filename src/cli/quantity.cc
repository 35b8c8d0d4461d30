#include "cli/quantity.h"

#include <charconv>
#include <cmath>
#include <regex>

#include "base/error.h"

namespace layerboost {
namespace {

double parse_scaled(const std::string& text, const char* flag, double thousand, const char* example) {
  // Bounded: std::regex calls itself for each character.
  static const std::regex form(R"(([0-9]{0,15}\.?[0-9]{1,15})([kKmMgG]?))");
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) fail("{} {}: expected a number such as {}", flag, text, example);
  double value = std::stod(parts[1]);
  for (const char* unit : {"kK", "mM", "gG"}) {
    if (parts[2].str().empty()) break;
    value *= thousand;
    if (std::string(unit).find(parts[2].str()) != std::string::npos) break;
  }
  if (value < 1 || value > 1e15) fail("{} {}: expected a number such as {}", flag, text, example);
  return value;
}

}  // namespace

std::int64_t parse_count(const std::string& text, const char* flag) {
  return static_cast<std::int64_t>(std::llround(parse_scaled(text, flag, 1000, "10M or 200k")));
}

std::size_t parse_bytes(const std::string& text, const char* flag) {
  return static_cast<std::size_t>(std::llround(parse_scaled(text, flag, 1024, "6G or 512M")));
}

HealBudget parse_heal_budget(const std::string& text) {
  for (const auto& [unit, minutes] : {std::pair<std::string_view, double>{"min", 1}, {"h", 60}}) {
    if (!text.ends_with(unit)) continue;
    double count = 0;
    const char* const last = text.data() + text.size() - unit.size();
    const auto [end, error] = std::from_chars(text.data(), last, count);
    if (error != std::errc{} || end != last || !(count >= 0) || !std::isfinite(count))
      fail("--heal {}: expected tokens such as 10M, minutes such as 20min, or 0", text);
    return {0, count * minutes};
  }
  if (text == "0") return {};
  return {parse_count(text, "--heal"), 0};
}

}  // namespace layerboost
