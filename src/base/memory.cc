#include "base/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace layerboost {
namespace {

std::optional<std::size_t> read_number(const std::filesystem::path& path) {
  std::size_t number = 0;
  if (!(std::ifstream(path) >> number)) return std::nullopt;  // "max": no limit
  return number;
}

std::optional<std::size_t> of_system(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string name, unit;
  for (std::size_t kib = 0; file >> name >> kib; std::getline(file, unit))
    if (name == "MemAvailable:") return kib * 1024;
  return std::nullopt;
}

std::optional<std::size_t> of_group(const std::filesystem::path& directory) {
  const auto limit = read_number(directory / "memory.max"), used = read_number(directory / "memory.current");
  if (!limit || !used) return std::nullopt;
  return *limit - std::min(*limit, *used);
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
