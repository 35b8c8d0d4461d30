// The plan: one mixer per layer, with the scores that led to it. Described in docs/formats/plan.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifact/analysis_file.h"
#include "base/file.h"
#include "mixer/mixers.h"
#include "model/config.h"

namespace layerboost {

/// What the plan's file is called in a directory that boost, heal, ladder or export wrote.
inline constexpr const char* plan_file_name = "plan.json";

struct PlanLayer {
  MixerSpec mixer;
  /// The mean losses by what the layer could be changed to, then by measure. For people; nothing reads them back.
  std::map<MixerSpec, std::map<std::string, double>> scores;
};

/// How the plan was chosen.
struct MadeFrom {
  std::string analysis;  // "sha256:<64 hex digits>" of the analysis file
  std::string measure;   // what was minimised, such as "kl"
  double retrieval_weight = 0;
  std::string budget;  // in words, such as "kv 0.3 at 2048"
  std::string search;  // "additive" or "joint"
  std::string command;
};

struct Predicted {
  double loss = 0;                      // sum of the layers' losses
  std::string loss_by;                  // what loss is: "kl + 0.1 retrieval"
  std::optional<double> measured_loss;  // of all changes together
  int context = 0;                      // positions that the memory figures are for
  std::int64_t kv_bytes = 0;            // of one sequence of that length, numbers of 2 bytes
  double kv_bytes_per_token = 0;        // kv_bytes / context
  double kv_fraction = 1;               // of the unchanged model's
  std::optional<double> speedup;        // of a decode step, against the unchanged model,
  int speedup_batch = 0;                // ... with so many sequences
  int speedup_context = 0;              // ... of this length
};

struct Plan {
  std::string model_name, model_hash;  // hash: Checkpoint::hash()
  std::optional<MadeFrom> made_from;
  std::vector<PlanLayer> layers;  // [L]
  std::optional<Predicted> predicted;
  std::optional<MapsFile> maps;  // in the plan's folder; there exactly when a layer uses a map

  /// [L]
  [[nodiscard]] std::vector<MixerSpec> specs() const;

  /// "sha256:<64 hex digits>" of all that changes the model's results: the model's hash, the mixers, the maps.
  [[nodiscard]] std::string hash() const;
};

/// Reads a plan without knowing its model. Throws Error (one line naming file and key) for another format or version,
/// unknown keys, layers that are missing or there twice, mixers and parameters that don't exist.
Plan read_plan(const fs::path& path);

/// Reads a plan for this model. Throws Error also when it was made for another one.
Plan read_plan(const fs::path& path, const Config& config, const std::string& model_hash);

/// Throws Error, its message beginning with `where`, unless the model has as many layers, and can run each one's mixer.
void check_layers(const Plan& plan, const Config& config, const std::string& where);

/// One line for each layer. Completely or not at all. Throws Error.
void write_plan(const fs::path& path, const Plan& plan);

/// The parameters of the plan's maps, `path` being the plan's file; empty when it uses none. Throws Error when the file
/// isn't there, has changed since, or lacks a layer.
MixerParameters read_plan_maps(const Plan& plan, const fs::path& path, const Config& config);

}  // namespace layerboost
