#include "app/check_files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "artifact/folders.h"
#include "base/error.h"
#include "base/file_writer.h"

namespace layerboost {
namespace {

std::string reason() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes

void check_folder(const fs::path& folder, const std::string& where) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) fail("{}: {} is not a directory", where, folder.string());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail("{}: nothing can be written in {}: {}", where, folder.string(), reason());
}

/// "-" would become a file of that name, which is never what was meant (the command line has made /dev/stdout of it
/// where that is).
void refuse_standard_output(const fs::path& path, const char* option) {
  if (path == "-") fail("`{}` -: give it a name; only `json` can go to standard output", option);
}

}  // namespace

void check_input(const std::string& path, const char* option) {
  if (path.empty()) return;
  if (::access(path.c_str(), R_OK) != 0) fail("`{}`: cannot open {}: {}", option, path, reason());
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail("`{}`: {} is a directory, not a file", option, path);
  if (fs::is_regular_file(path, ignored) && fs::file_size(path, ignored) == 0) fail("`{}`: {} is empty", option, path);
}

void check_inputs(const std::vector<std::string>& paths, const char* option) {
  for (const std::string& path : paths) {
    if (path.empty()) fail("`{}`: one of the names is empty", option);
    check_input(path, option);
  }
}

void check_output(const std::string& path, const char* option) {
  if (path.empty()) return;
  refuse_standard_output(path, option);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail("`{}` {}: a directory, not a file", option, path);
  if (fs::exists(path, ignored) && ::access(path.c_str(), W_OK) != 0)
    fail("`{}` {}: cannot be written: {}", option, path, reason());
  if (const auto file = replaced_file(path))
    check_folder(nearest_folder(fs::absolute(*file).parent_path()), fmt::format("`{}` {}", option, path));
}

void check_output_directory(const fs::path& directory, const char* option) {
  refuse_standard_output(directory, option);
  check_folder(nearest_folder(directory), fmt::format("`{}` {}", option, directory.string()));
}

}  // namespace layerboost
