#include "artifact/model_store.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <vector>

#include "artifact/boosted_directory.h"
#include "artifact/folders.h"
#include "artifact/healed_directory.h"
#include "artifact/hugging_face.h"
#include "artifact/ladder.h"
#include "base/data_directory.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/nearest.h"
#include "model/gguf_parts.h"

namespace layerboost {
namespace {

constexpr const char* default_model_file = "SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* unchanged_variant = "base";
constexpr const char* ladder_variant = "ladder";

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

bool holds_model(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "config.json", ignored) || !files_in(directory, ".gguf").empty();
}

/// Whether layerboost wrote the directory, to be given as MODEL.
bool is_ours(const fs::path& directory) {
  return is_healed_directory(directory) || is_boost_directory(directory) || is_ladder_directory(directory);
}

/// The GGUF files of a directory, of a split model the first part.
std::vector<fs::path> gguf_models_in(const fs::path& directory) {
  const std::vector<fs::path> files = files_in(directory, ".gguf");
  std::vector<fs::path> models = files;
  std::erase_if(models, [&](const fs::path& file) {
    const std::optional<fs::path> first = first_gguf_part(file);
    return first && std::find(files.begin(), files.end(), *first) != files.end();
  });
  return models;
}

/// What a directory holds to open: itself with a config.json, or its one GGUF file.
fs::path in_directory(const fs::path& directory) {
  std::error_code ignored;
  if (fs::exists(directory / "config.json", ignored)) return directory;
  if (is_hugging_face_folder(directory)) return in_directory(hugging_face_snapshot(directory));
  const std::vector<fs::path> files = gguf_models_in(directory);
  if (files.size() == 1) return files.front();
  if (!files.empty())
    fail("{}: holds {} GGUF files; name one, such as {}", directory.string(), files.size(), files.front().string());
  if (!files_in(directory, ".part").empty())
    fail("{}: not all of the model has been fetched; give the same layerboost pull again", directory.string());
  std::string inside;
  for (const fs::path& folder : folders_in(directory))
    if (inside.empty() && (holds_model(folder) || is_ours(folder))) inside = folder.string();
  fail("{}: not a model: no config.json and no *.gguf file in it{}", directory.string(),
       inside.empty() ? "" : fmt::format("; did you mean \"{}\"?", inside));
}

/// What could have been meant by `typed`: what was fetched, what comes with layerboost, and what lies beside the path.
std::vector<std::string> known_models(const fs::path& typed) {
  std::vector<std::string> names;
  const fs::path parent = typed.parent_path();
  for (const fs::path& file : gguf_models_in(parent.empty() ? "." : parent))
    names.push_back((parent / file.filename()).string());
  for (const fs::path& folder : folders_in(parent.empty() ? "." : parent))
    if (holds_model(folder) || is_ours(folder)) names.push_back((parent / folder.filename()).string());
  const auto add_shipped = [&] {
    for (const fs::path& folder : folders_in(models_directory()))
      if (is_ours(folder)) names.push_back(folder.string());
  };
  if (parent.filename() == "models") add_shipped();  // "models/NAME", as in layerboost's own folder
  names.emplace_back(default_model);
  for (const fs::path& org : folders_in(cache_dir() / "models"))
    for (const fs::path& model : folders_in(org))
      if (holds_model(model)) names.push_back((org.filename() / model.filename()).string());
  for (const std::string& name : hugging_face_models()) names.push_back(name);
  add_shipped();
  return names;
}

/// `; did you mean "NAME"?`, by the whole of what was typed or its last part; else nothing.
std::string suggestion(const std::string& typed) {
  const std::vector<std::string> names = known_models(typed);
  if (std::string whole = did_you_mean(typed, names); !whole.empty()) return whole;
  const std::string last = fs::path(typed).filename().string();
  std::vector<std::string> lasts;
  for (const std::string& name : names) lasts.push_back(fs::path(name).filename().string());
  if (did_you_mean(last, lasts).empty()) return {};
  const auto found = std::find(lasts.begin(), lasts.end(), nearest(last, lasts));
  return fmt::format("; did you mean \"{}\"?", names[static_cast<std::size_t>(found - lasts.begin())]);
}

/// Whether `typed` can only be meant as a path, even where it has the form ORG/NAME.
bool is_path(const std::string& typed) {
  if (typed.ends_with(".gguf") || typed.ends_with(".json")) return true;
  if (!is_hub_name(typed)) return typed.find('/') != std::string::npos;
  std::error_code ignored;
  const fs::path first = *fs::path(typed).begin();
  return first == "models" || fs::is_directory(first, ignored);
}

[[noreturn]] void refuse(const std::string& typed) {
  const std::string meant = suggestion(typed), shown = printable(typed, 200);
  if (is_path(typed)) fail("no file or directory {}{}", shown, meant);
  if (is_hub_name(typed))
    fail("no file or directory {0}, and no model of this name was fetched; to fetch it: layerboost pull {0}{1}", shown,
         meant);
  if (!meant.empty()) fail("no model \"{}\"{}", shown, meant);
  fail(
      "no model \"{}\"; expected a GGUF file, a directory with config.json, {}, or ORG/NAME fetched by layerboost pull",
      shown, default_model);
}

/// "smollm2-135m:VARIANT".
std::string variant_of_default(const std::string& variant) { return fmt::format("{}:{}", default_model, variant); }

/// What "smollm2-135m:VARIANT" stands for.
std::string shipped_variant(const std::string& variant) {
  if (variant == unchanged_variant) return find_cached_model(default_model).string();
  const std::string prefix = fmt::format("{}-", default_model);
  std::vector<std::string> names = {default_model, variant_of_default(unchanged_variant)};
  for (const fs::path& folder : folders_in(models_directory())) {
    const std::string name = folder.filename().string();
    if (!name.starts_with(prefix) || !is_ours(folder)) continue;
    if (name.substr(prefix.size()) == variant) return folder.string();
    names.push_back(variant_of_default(name.substr(prefix.size())));
  }
  fail("no model {}; there are {}", in_quotes(variant_of_default(variant)), fmt::join(names, ", "));
}

/// How to run the script that fetches the default model, from here.
std::string fetching_script() {
  std::error_code ignored;
  const fs::path script = fs::canonical(data_directory() / "scripts/get-model.sh", ignored);
  if (script.empty()) return "scripts/get-model.sh of layerboost's source";
  const fs::path from_here = fs::proximate(script, ignored);
  return (from_here.empty() || *from_here.begin() == ".." ? script : from_here).string();
}

}  // namespace

fs::path store_path(const std::string& name) {
  if (!is_hub_name(name)) fail("{} is not the name of a model on a hub; expected ORG/NAME", in_quotes(name));
  return cache_dir() / "models" / name;
}

fs::path models_directory() {
  std::error_code missing;
  fs::path models = data_directory() / "models", real = fs::canonical(models, missing);
  return missing ? models : real;
}

std::string shipped_or_given(const std::string& model) {
  if (const std::string prefix = variant_of_default(""); model.starts_with(prefix))
    return shipped_variant(model.substr(prefix.size()));
  const fs::path path(model);
  std::error_code ignored;
  if (path.parent_path() != "models" || fs::exists(path, ignored)) return model;
  const fs::path shipped = models_directory() / path.filename();
  return is_ours(shipped) ? shipped.string() : model;
}

std::string base_name(const std::string& model) {
  return model == variant_of_default(unchanged_variant) ? default_model : model;
}

std::string as_it_comes(const std::string& model) {
  std::error_code ignored;
  if (model != default_model || fs::exists(model, ignored)) return shipped_or_given(model);
  const fs::path shipped = models_directory() / default_model;
  return is_ours(shipped) ? shipped.string() : model;
}

std::string with_its_ladder(const std::string& model) {
  std::error_code ignored;
  if (model != default_model || fs::exists(model, ignored)) return shipped_or_given(model);
  const fs::path shipped = models_directory() / fmt::format("{}-{}", default_model, ladder_variant);
  return is_ladder_directory(shipped) ? shipped.string() : model;
}

fs::path find_model(const std::string& model) {
  fs::path path(model);
  if (path.has_parent_path() && !path.has_filename()) path = path.parent_path();  // "DIR/"
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return in_directory(path);
  return fs::exists(path, ignored) ? path : find_cached_model(model);
}

fs::path find_cached_model(const std::string& name) {
  std::error_code ignored;
  if (name == default_model) {
    fs::path file = cache_dir() / "models" / name / default_model_file;
    if (!fs::exists(file, ignored)) fail("the default model is not at {}; run {}", file.string(), fetching_script());
    return file;
  }
  const std::optional<fs::path> other = find_hugging_face_folder(name);
  if (is_hub_name(name)) {
    const fs::path directory = store_path(name);
    if (fs::is_directory(directory, ignored) && (!other || holds_model(directory))) return in_directory(directory);
  }
  if (other) return in_directory(*other);
  refuse(name);
}

}  // namespace layerboost
