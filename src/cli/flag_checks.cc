#include "cli/flag_checks.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

constexpr std::int64_t largest_int = std::numeric_limits<int>::max();

/// The number that `word` is, all of it.
template <typename T>
std::optional<T> parse(const std::string& word) {
  T value{};
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc() || stop != end) return {};
  return value;
}

/// Refuses words that aren't a T which is `good`. Nothing of it stands in --help.
template <typename T>
CLI::Validator check(std::function<bool(T)> good, std::string must_be) {
  const auto refusal = [good = std::move(good), must_be = std::move(must_be)](const std::string& word) {
    const std::optional<T> value = parse<T>(word);
    return value && good(*value) ? std::string() : fmt::format("must be {}, not {}", must_be, in_quotes(word));
  };
  return {refusal, ""};
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  std::string must_be = fmt::format("a whole number from {} to {}", least, most);
  if (most == largest_int && least == 0) must_be = "0 or a positive whole number";
  if (most == largest_int && least == 1) must_be = "a positive whole number";
  return check<std::int64_t>([=](std::int64_t value) { return value >= least && value <= most; }, must_be);
}

CLI::Validator seed_number() {
  return check<std::uint64_t>([](std::uint64_t) { return true; }, "a whole number from 0 to 2^64 - 1");
}

CLI::Validator number() {
  return check<double>([](double value) { return std::isfinite(value); }, "a number");
}

CLI::Validator number(double least, double most) {
  const bool bounded = std::isfinite(most);
  const std::string must_be =
      bounded ? fmt::format("a number from {} to {}", least, most) : fmt::format("a number, {} or more", least);
  return check<double>([=](double value) { return std::isfinite(value) && value >= least && value <= most; }, must_be);
}

CLI::Validator positive_number() {
  return check<double>([](double value) { return std::isfinite(value) && value > 0; }, "a positive number");
}

CLI::Validator share_below_one() {
  return check<double>([](double value) { return value >= 0 && value < 1; }, "a number from 0 to below 1");
}

void refuse_given(const CLI::App& command, std::initializer_list<const char*> flags, std::string_view reason) {
  for (const char* flag : flags)
    if (command.get_option(flag)->count() > 0)
      fail("{} {}; see layerboost {} --help", flag, reason, command.get_name());
}

}  // namespace layerboost
