#include "model/gguf_parts.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace layerboost {
namespace {

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Where "-00002-of-00005.gguf" begins, at the end of the name; nothing for other names.
std::optional<std::size_t> find_ending(std::string_view name) {
  constexpr std::string_view form = "-00001-of-00002.gguf";
  if (name.size() <= form.size()) return std::nullopt;
  const std::size_t begin = name.size() - form.size();
  const std::string_view ending = name.substr(begin);
  const bool found = ending[0] == '-' && all_digits(ending.substr(1, 5)) && ending.substr(6, 4) == "-of-" &&
                     all_digits(ending.substr(10, 5)) && ending.substr(15) == ".gguf";
  return found ? std::optional(begin) : std::nullopt;
}

}  // namespace

std::string gguf_part_ending(int part, int parts) { return fmt::format("-{:05}-of-{:05}.gguf", part + 1, parts); }

std::optional<fs::path> first_gguf_part(const fs::path& path) {
  constexpr std::string_view first = "00001";
  std::string name = path.filename().string();
  const std::optional<std::size_t> ending = find_ending(name);
  if (!ending || name.compare(*ending + 1, first.size(), first) == 0) return std::nullopt;
  name.replace(*ending + 1, first.size(), first);
  return path.parent_path() / name;
}

std::string gguf_model_name(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::optional<std::size_t> ending = find_ending(name);
  return ending ? name.substr(0, *ending) : path.stem().string();
}

}  // namespace layerboost
