#include "server/request_id.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"

namespace layerboost {
namespace {

bool may_be_an_id(std::string_view text) {
  constexpr std::size_t longest = 128;
  return !text.empty() && text.size() <= longest &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

}  // namespace

std::string request_id(std::string_view asked) {
  if (may_be_an_id(asked)) return std::string(asked);
  const auto first = unrepeatable_bits(), second = unrepeatable_bits();
  return fmt::format("{:016x}{:016x}", first, second);
}

}  // namespace layerboost
