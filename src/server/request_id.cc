#include "server/request_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

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
  static thread_local std::mt19937_64 random(std::random_device{}());
  const auto first = random(), second = random();
  return fmt::format("{:016x}{:016x}", first, second);
}

}  // namespace layerboost
