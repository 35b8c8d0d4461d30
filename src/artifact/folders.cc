#include "artifact/folders.h"

#include <algorithm>

namespace layerboost {
namespace {

template <typename Wanted>
std::vector<fs::path> entries(const fs::path& directory, const Wanted& wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (wanted(*entry)) found.push_back(entry->path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<fs::path> folders_in(const fs::path& directory) {
  return entries(directory, [](const fs::directory_entry& entry) {
    std::error_code ignored;
    return entry.is_directory(ignored);
  });
}

std::vector<fs::path> files_in(const fs::path& directory, const char* extension) {
  return entries(directory, [&](const fs::directory_entry& entry) {
    std::error_code ignored;
    return entry.path().extension() == extension && entry.is_regular_file(ignored);
  });
}

fs::path nearest_folder(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = fs::absolute(path).lexically_normal();
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

}  // namespace layerboost
