#include "app/pull.h"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "artifact/folders.h"
#include "artifact/hugging_face.h"
#include "artifact/model_store.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "net/hub.h"

namespace layerboost {
namespace {

constexpr const char* public_hub = "https://huggingface.co";

std::string environment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

bool matches(const std::string& path, const char* pattern) {
  return ::fnmatch(pattern, path.c_str(), FNM_PATHNAME) == 0;
}

/// Whether layerboost reads this file of a repository (weights as safetensors, configuration, tokenizer), or it goes
/// with the model wherever it is exported (its card and its licence).
bool is_part_of_model(const HubFile& file) {
  constexpr const char* patterns[] = {"config.json",
                                      "generation_config.json",
                                      "tokenizer.json",
                                      "tokenizer_config.json",
                                      "special_tokens_map.json",
                                      "chat_template.jinja",
                                      "additional_chat_templates/*.jinja",
                                      "model*.safetensors",
                                      "model.safetensors.index.json",
                                      "README.md",
                                      "LICENSE*",
                                      "LICENCE*",
                                      "NOTICE*",
                                      "COPYING*"};
  return std::any_of(std::begin(patterns), std::end(patterns),
                     [&](const char* pattern) { return matches(file.path, pattern); });
}

/// "a, b, c and 12 more".
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 8;
  const std::size_t count = std::min(names.size(), shown);
  const std::string text = fmt::to_string(fmt::join(names.begin(), names.begin() + static_cast<long>(count), ", "));
  return names.size() > count ? fmt::format("{} and {} more", text, names.size() - count) : text;
}

/// What to fetch. config.json, by which a directory is a model, comes last: whatever runs meanwhile doesn't find half
/// of one.
std::vector<HubFile> choose(const std::vector<HubFile>& all, const PullOptions& options) {
  std::vector<HubFile> chosen;
  std::vector<std::string> gguf_names;
  bool has_weights = false;
  for (const HubFile& file : all) {
    const bool gguf = file.path.ends_with(".gguf");
    if (gguf) gguf_names.push_back(printable(file.path, 80));
    const bool wanted =
        options.gguf.empty() ? is_part_of_model(file) : gguf && matches(file.path, options.gguf.c_str());
    if (!wanted) continue;
    has_weights |= gguf || file.path.ends_with(".safetensors");
    chosen.push_back(file);
  }
  std::stable_partition(chosen.begin(), chosen.end(), [](const HubFile& file) { return file.path != "config.json"; });
  if (has_weights) return chosen;
  const std::string has = gguf_names.empty() ? "it has no GGUF files either" : "its GGUF files: " + some_of(gguf_names);
  if (!options.gguf.empty()) fail("{} has no GGUF file that matches \"{}\"; {}", options.model, options.gguf, has);
  fail("{} has no model*.safetensors; {}{}", options.model, has, gguf_names.empty() ? "" : " (choose with `gguf`)");
}

void drop_complete(std::vector<HubFile>& files, const fs::path& directory) {
  std::error_code ignored;
  std::erase_if(files, [&](const HubFile& file) {
    return fs::exists(directory / file.path, ignored) && mismatch(file, directory / file.path).empty();
  });
}

/// What of an earlier fetch lies in `directory` and is no part of what the hub lists would be opened with it.
void check_leftovers(const std::vector<HubFile>& listed, const fs::path& directory, const std::string& model) {
  for (const char* extension : {".safetensors", ".json", ".jinja"}) {
    for (const fs::path& path : files_in(directory, extension)) {
      HubFile left;
      left.path = path.filename().string();
      const bool is_listed =
          std::any_of(listed.begin(), listed.end(), [&](const HubFile& file) { return file.path == left.path; });
      if (is_listed || !is_part_of_model(left)) continue;
      if (left.path.ends_with(".safetensors"))
        fail("{}: {} doesn't list this file; remove it, or give another `output`", path.string(), model);
      note("{}: {} doesn't list this file; it stays, and counts", path.string(), model);
    }
  }
}

/// Waits until no other process fetches into `directory`, and says for whom.
FileLock wait_for(const fs::path& directory) {
  std::string holder, told;
  for (;;) {
    if (auto lock = FileLock::take(directory / ".lock", holder)) return std::move(*lock);
    if (holder != told) note("{} is in use by {}; waiting until it has ended", directory.string(), holder);
    told = holder;
    check_interrupt("stopped; nothing was fetched");
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

/// Bytes that are still to come for a file.
std::int64_t remaining(const HubFile& file, const fs::path& target) {
  std::error_code missing;
  const auto there = fs::file_size(part_of(target), missing);
  const std::int64_t have = missing ? 0 : static_cast<std::int64_t>(there);
  return std::max<std::int64_t>(0, file.size - have);
}

constexpr std::int64_t megabyte = 1000000;

void fetch(Hub& hub, const std::vector<HubFile>& files, const fs::path& directory, const std::string& model) {
  std::int64_t total = 0, bytes = 0;
  for (const HubFile& file : files) total += remaining(file, directory / file.path);
  if (const auto room = free_space(directory); room && total > *room)
    fail("{}: {} MB are to be fetched, and the disk of {} has room for {} MB", model, total / megabyte + 1,
         directory.string(), *room / megabyte);
  Progress progress("fetching " + model, total / megabyte, "MB");
  for (const HubFile& file : files) {
    hub.fetch(file, directory / file.path, [&](std::int64_t n) {
      progress.advance((bytes + n) / megabyte - bytes / megabyte);
      bytes += n;
    });
  }
}

}  // namespace

fs::path pull_model(const PullOptions& options) {
  const fs::path stored = store_path(options.model);
  fs::path directory = options.directory.empty() ? stored : fs::path(options.directory);
  std::error_code ignored;
  if (fs::exists(directory, ignored) && !fs::is_directory(directory, ignored))
    fail("`output` {}: is a file; a directory is wanted", directory.string());
  Hub hub({environment("HF_ENDPOINT", public_hub), hugging_face_token(), options.model, options.revision});
  const std::vector<HubFile> listed = hub.list();
  std::vector<HubFile> files = choose(listed, options);
  if (options.gguf.empty())
    check_leftovers(listed, directory, options.model);
  else if (fs::exists(directory / "config.json", ignored))
    note("{} holds a model in safetensors, too, and stands for that; give the path of a GGUF file to open it",
         directory.string());
  drop_complete(files, directory);
  if (!files.empty()) {
    const FileLock lock = wait_for(directory);
    drop_complete(files, directory);  // what another process has fetched meanwhile
    fetch(hub, files, directory, options.model);
  }
  return directory;
}

}  // namespace layerboost
