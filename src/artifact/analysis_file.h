// The analysis file: how much a model loses when one layer's mixer is changed, to what, and measured by what. Described
// in docs/formats/analysis.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifact/parameters_file.h"
#include "base/file.h"
#include "base/json.h"
#include "mixer/spec.h"
#include "model/config.h"

namespace layerboost {

/// A mean with its standard error.
struct Measured {
  double mean = 0, stderr_of_mean = 0;
  std::vector<double> differences;  // per sequence, task or item: the paired differences behind a score; may be empty
};

/// What was measured, by measure: "kl", "nll", "task", "retrieval".
using Scores = std::map<std::string, Measured>;

/// What was measured of one layer. Everything but `cosine` and `entropy` is a loss: more is worse.
struct LayerScores {
  std::optional<Measured> cosine;       // LLM-Drop: 1 - mean cos(h, h + a) of the layer's attention output a
  std::optional<Measured> entropy;      // DSLA: mean -sum p ln p of the last position's attention, nats
  std::map<MixerSpec, Scores> choices;  // by what the layer's mixer was changed to
};

/// Spearman's rank correlation over layers between two measures, for one choice.
struct RankCorrelation {
  std::string choice;  // as to_string(MixerSpec)
  std::string a, b;    // measures
  double spearman = 0;
};

/// A file with parameters of map mixers (see read_parameters()), beside the file that names it.
struct MapsFile {
  std::string file;  // name without a folder
  std::string hash;  // "sha256:<64 hex digits>" of its bytes
};

struct AnalysisModel {
  std::string hash;  // Checkpoint::hash()
  std::string path;  // where it was; may be empty
  Config config;     // name, arch, layers, hidden, heads, kv_heads, head_size and windows; the rest isn't stored
};

struct AnalysisData {
  std::string source;  // a file's name, or "self" for text that the model wrote
  std::string hash;
  int sequences = 0, length = 0;
  std::int64_t tokens = 0;
  int retrieval_length = 0, retrieval_items = 0;  // 0: not measured
  std::vector<std::string> tasks;
  bool estimated = false;  // losses on text and of answers come from gradients, not from running changed models
};

struct Analysis {
  Json run;  // RunInfo::to_json()
  AnalysisModel model;
  AnalysisData data;
  Scores base;                        // the unchanged model: "nll", "retrieval" (log-probability), "task" (accuracy)
  std::vector<MixerSpec> choices;     // what layers are changed to where that keeps less, in the order asked for
  std::vector<std::string> measures;  // of analysis_measures(), in the order asked for
  std::map<int, LayerScores> layers;  // by layer; those not yet measured are absent
  std::vector<RankCorrelation> rank_correlation;
  std::optional<MapsFile> maps;  // when a choice is map

  /// Whether every layer has every choice that it keeps less with than with the model's own mixer.
  [[nodiscard]] bool complete() const;
};

/// "kl", "nll", "task", "retrieval", "cosine", "entropy".
const std::vector<std::string>& analysis_measures();

/// Throws Error (one line naming file and key) for another format or version, unknown keys and wrong types.
Analysis read_analysis(const fs::path& path);

/// Completely or not at all. Throws Error.
void write_analysis(const fs::path& path, const Analysis& analysis);

}  // namespace layerboost
