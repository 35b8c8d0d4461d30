#include "base/leftovers.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>
#include <system_error>
#include <vector>

namespace layerboost {
namespace {

constexpr std::array<std::string_view, 7> our_endings = {".json", ".jsonl", ".safetensors", ".bin",
                                                         ".txt",  ".html",  ".gathered"};

/// The process that a temporary file is named after; nothing for any other file.
std::optional<pid_t> writer_of(std::string_view name) {
  const std::size_t mark = name.rfind(".tmp");
  if (mark == std::string_view::npos) return {};
  const std::string_view whole = name.substr(0, mark), number = name.substr(mark + 4);
  if (std::none_of(our_endings.begin(), our_endings.end(), [&](auto ending) { return whole.ends_with(ending); }))
    return {};
  pid_t process = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), process);
  if (error != std::errc{} || end != number.data() + number.size() || process <= 0) return {};
  return process;
}

/// This process, which hasn't begun to write, may have the number of the one that was killed.
bool is_gone(pid_t process) { return process == ::getpid() || (::kill(process, 0) != 0 && errno == ESRCH); }

}  // namespace

void remove_leftovers(const fs::path& directory, std::string_view prefix) {
  std::error_code ignored;  // whoever may not remove them can do without
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (const auto writer = writer_of(name); writer && name.starts_with(prefix) && is_gone(*writer))
      found.push_back(entry.path());
  }
  for (const fs::path& path : found) fs::remove(path, ignored);
}

}  // namespace layerboost
