#include "cli/check_arguments.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace layerboost {
namespace {

std::string reason() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes

/// The path itself, or the folder nearest to it that is there.
fs::path nearest_that_exists(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = fs::absolute(path).lexically_normal();
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

void check_folder(const fs::path& folder, const std::string& where) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) fail("{}: {} is not a directory", where, folder.string());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail("{}: nothing can be written in {}: {}", where, folder.string(), reason());
}

}  // namespace

void check_input(const std::string& path, const char* flag) {
  if (path.empty()) return;
  if (::access(path.c_str(), R_OK) != 0) fail("{}: cannot open {}: {}", flag, path, reason());
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail("{}: {} is a directory, not a file", flag, path);
  if (fs::is_regular_file(path, ignored) && fs::file_size(path, ignored) == 0) fail("{}: {} is empty", flag, path);
}

void check_output(const std::string& path, const char* flag) {
  if (path.empty() || path == "-") return;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail("{} {}: a directory, not a file", flag, path);
  if (fs::exists(path, ignored) && ::access(path.c_str(), W_OK) != 0)
    fail("{} {}: cannot be written: {}", flag, path, reason());
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) return;  // written into as it is
  check_folder(nearest_that_exists(fs::absolute(path).parent_path()), fmt::format("{} {}", flag, path));
}

void check_output_directory(const fs::path& directory, const char* flag) {
  check_folder(nearest_that_exists(directory), fmt::format("{} {}", flag, directory.string()));
}

}  // namespace layerboost
