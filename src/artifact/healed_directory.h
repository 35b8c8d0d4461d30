// A directory that `layerboost heal` wrote: heal.json names the model, its plan and adapter lie beside it. Described in
// docs/formats/healed.md.
#pragma once

#include <string>

#include "artifact/plan.h"
#include "base/file.h"
#include "base/json.h"

namespace layerboost {

inline constexpr const char* heal_format = "layerboost-heal";  // heal.json's "format"

/// What heal.json says.
struct HealedDirectory {
  std::string model_name;         // MODEL as it was given: "smollm2-135m", ORG/NAME or a path
  fs::path model_path;            // absolute, of the base model
  std::string model_hash;         // Checkpoint::hash() of the base model
  std::string plan_hash;          // Plan::hash() of plan.json
  std::string adapter_hash;       // file_hash() of adapter.safetensors
  Json options = Json::object();  // what it was healed with, for people and for resuming
  Json figures = Json::object();  // how it went: tokens, steps, losses before and after, for people and the report
};

// The files of such a directory.
inline fs::path healed_file(const fs::path& directory) { return directory / "heal.json"; }
inline fs::path healed_plan(const fs::path& directory) { return directory / plan_file_name; }
inline fs::path healed_adapter(const fs::path& directory) { return directory / "adapter.safetensors"; }
inline fs::path healed_log(const fs::path& directory) { return directory / "log.jsonl"; }

/// Whether `path` is a directory with a heal.json.
bool is_healed_directory(const fs::path& path);

/// Whether heal.json, plan.json, its maps and the adapter are there and belong together: the hashes are right.
bool is_intact(const fs::path& path);

/// Reads heal.json. Throws Error when it isn't what heal writes.
HealedDirectory read_healed_directory(const fs::path& path);

/// Writes heal.json with the run object `run`, complete or not at all. Throws Error.
void write_healed_directory(const fs::path& path, const HealedDirectory& directory, const Json& run);

}  // namespace layerboost
