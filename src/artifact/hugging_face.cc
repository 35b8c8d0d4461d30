#include "artifact/hugging_face.h"

#include <cstdlib>
#include <string_view>

#include "artifact/folders.h"
#include "base/error.h"
#include "model/hub_folder.h"

namespace layerboost {
namespace {

/// A path that a variable of the environment gives, "~" for the home directory; empty: not set.
fs::path path_from(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return {};
  const std::string_view text = value;
  const char* const home = std::getenv("HOME");
  if (home != nullptr && (text == "~" || text.starts_with("~/")))
    return std::string(home) + std::string(text.substr(1));
  return text;
}

fs::path hugging_face_home() {
  if (fs::path home = path_from("HF_HOME"); !home.empty()) return home;
  if (const fs::path caches = path_from("XDG_CACHE_HOME"); !caches.empty()) return caches / "huggingface";
  if (const fs::path home = path_from("HOME"); !home.empty()) return home / ".cache/huggingface";
  return {};
}

std::string trimmed(const std::string& text) {
  constexpr const char* blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

std::string hugging_face_token() {
  if (const char* const token = std::getenv("HF_TOKEN"); token != nullptr && *token != '\0') return trimmed(token);
  fs::path file = path_from("HF_TOKEN_PATH");
  if (const fs::path home = hugging_face_home(); file.empty() && !home.empty()) file = home / "token";
  std::error_code ignored;
  return fs::exists(file, ignored) ? trimmed(read_file(file)) : "";
}

fs::path hugging_face_cache() {
  for (const char* const variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (fs::path cache = path_from(variable); !cache.empty()) return cache;
  const fs::path home = hugging_face_home();
  return home.empty() ? home : home / "hub";
}

bool is_hugging_face_folder(const fs::path& folder) {
  std::error_code ignored;
  return !name_of_hub_folder(folder.filename().string()).empty() && fs::is_directory(folder / "snapshots", ignored);
}

fs::path hugging_face_snapshot(const fs::path& folder) {
  std::error_code ignored;
  if (const fs::path main = folder / "refs/main"; fs::is_regular_file(main, ignored)) {
    const fs::path revision = trimmed(read_file(main));
    fs::path snapshot = folder / "snapshots" / revision;
    if (!revision.empty() && revision == revision.filename() && fs::is_directory(snapshot, ignored)) return snapshot;
  }
  const std::vector<fs::path> snapshots = folders_in(folder / "snapshots");
  if (snapshots.empty()) fail("{}: holds no snapshot; fetch the model again", folder.string());
  if (snapshots.size() == 1) return snapshots.front();
  fail("{}: holds {} snapshots, none of which is the main one; name one, such as {}", folder.string(), snapshots.size(),
       snapshots.front().string());
}

std::optional<fs::path> find_hugging_face_folder(const std::string& name) {
  const fs::path cache = hugging_face_cache();
  if (cache.empty()) return {};
  std::string folder = name;
  if (const std::size_t slash = folder.find('/'); slash != std::string::npos)
    folder.replace(slash, 1, hub_folder_separator);
  if (folder.find('/') != std::string::npos) return {};
  fs::path path = cache / (std::string(hub_folder_prefix) + folder);
  if (!is_hugging_face_folder(path)) return {};
  return path;
}

std::vector<std::string> hugging_face_models() {
  std::vector<std::string> names;
  for (const fs::path& folder : folders_in(hugging_face_cache()))
    if (is_hugging_face_folder(folder)) names.push_back(name_of_hub_folder(folder.filename().string()));
  return names;
}

}  // namespace layerboost
