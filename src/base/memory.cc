#include "base/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace layerboost {
namespace {

std::optional<std::size_t> read_number(const std::filesystem::path& path) {
  std::size_t number = 0;
  if (!(std::ifstream(path) >> number)) return std::nullopt;  // "max": no limit
  return number;
}

/// The number behind `wanted` in a file of lines that begin with a name and a number.
std::optional<std::size_t> read_named(const std::filesystem::path& path, std::string_view wanted) {
  std::ifstream file(path);
  std::string name, unit;
  for (std::size_t number = 0; file >> name >> number; std::getline(file, unit))
    if (name == wanted) return number;
  return std::nullopt;
}

std::optional<std::size_t> of_system(const std::filesystem::path& path) {
  const auto kib = read_named(path, "MemAvailable:");
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

std::optional<std::size_t> of_group(const std::filesystem::path& directory) {
  const auto limit = read_number(directory / "memory.max"), used = read_number(directory / "memory.current");
  if (!limit || !used) return std::nullopt;
  // Files that were read, and aren't used any more, give way.
  const std::size_t cached = read_named(directory / "memory.stat", "inactive_file").value_or(0);
  return *limit - std::min(*limit, *used - std::min(*used, cached));
}

}  // namespace

std::size_t free_memory(const std::filesystem::path& proc, const std::filesystem::path& control_group) {
  const auto system = of_system(proc / "meminfo"), group = of_group(control_group);
  if (system && group) return std::min(*system, *group);
  return system.value_or(group.value_or(std::size_t{1} << 30));
}

std::size_t resident_memory() {
  std::size_t total = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> total >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace layerboost
