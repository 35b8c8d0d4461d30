#include "cli/model_store.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr const char* default_model_file = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// ORG/NAME, each of letters, digits, "-", "_" and ".", and not beginning with a dot or a dash.
bool is_hub_name(const std::string& name) {
  const auto is_word = [](std::string_view word) {
    const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
    return !word.empty() && word[0] != '.' && word[0] != '-' && std::all_of(word.begin(), word.end(), allowed);
  };
  const std::string_view whole = name;
  const std::size_t slash = whole.find('/');
  return slash != std::string_view::npos && is_word(whole.substr(0, slash)) && is_word(whole.substr(slash + 1));
}

/// What a directory holds to open: itself with a config.json, or its one GGUF file.
fs::path in_directory(const fs::path& directory) {
  if (fs::exists(directory / "config.json")) return directory;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().extension() == ".gguf") files.push_back(entry.path());
  }
  if (files.empty()) fail("{}: not a model: no config.json and no *.gguf file in it", directory.string());
  if (files.size() == 1) return files.front();
  std::sort(files.begin(), files.end());
  fail("{}: holds {} GGUF files; name one, such as {}", directory.string(), files.size(), files.front().string());
}

}  // namespace

fs::path store_path(const std::string& name) {
  if (!is_hub_name(name)) fail("\"{}\" is not the name of a model on a hub; expected ORG/NAME", name);
  return cache_dir() / "models" / name;
}

fs::path find_model(const std::string& model) {
  fs::path path(model);
  if (fs::is_directory(path)) return in_directory(path);
  return fs::exists(path) ? path : find_cached_model(model);
}

fs::path find_cached_model(const std::string& name) {
  if (name == default_model) {
    fs::path file = cache_dir() / "models" / name / default_model_file;
    if (!fs::exists(file)) fail("the default model is not at {}; run scripts/get-model.sh", file.string());
    return file;
  }
  if (is_hub_name(name)) {
    const fs::path directory = store_path(name);
    if (fs::is_directory(directory)) return in_directory(directory);
    fail("no file or directory {0}, and no such model in the cache; to fetch it: layerboost pull {0}", name);
  }
  fail(
      "no model \"{}\"; expected a GGUF file, a directory with config.json, {}, or ORG/NAME fetched by layerboost pull",
      name, default_model);
}

}  // namespace layerboost
