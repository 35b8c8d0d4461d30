// The ladder: an ordered list of changes of one model's layers, each made on top of all before it, with what is lost
// and won at each height. Described in docs/formats/ladder.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "mixer/mixers.h"
#include "model/config.h"

namespace layerboost {

/// One change: the layer gets this mixer in place of what it has after all rungs below.
struct Rung {
  int layer = 0;
  MixerSpec mixer;

  bool operator==(const Rung&) const = default;
};

/// "layer 7 -> window:128+4"
std::string to_string(const Rung& rung);

/// What a level still finds of facts far back (eval/retrieval.h), in texts of one length.
struct LevelRetrieval {
  int length = 0;    // tokens
  double found = 0;  // share of the answers that greedy decoding gives, plain and in a chat
  double kept = 1;   // of what the unchanged model finds
  double loss = 0;   // drop of the answers' log-probability against the unchanged model, nats
};

/// How well a level does in a task (docs/formats/tasks.md).
struct LevelTask {
  std::string name;
  double accuracy = 0;  // of multiple choice the length-normalised one
};

/// What was measured of one level; all but kv_bytes and kv_fraction is measured, or left at what stands here.
struct LevelQuality {
  std::string mixers;           // Ladder::level_hash() of what was measured
  double kl = 0, kl_error = 0;  // from the unchanged model, nats, and its standard error
  double perplexity = 0;        // of the text
  double perplexity_ratio = 1;  // to the unchanged model's
  double perplexity_ratio_error = 0;
  std::vector<LevelRetrieval> retrieval;
  std::vector<LevelTask> tasks;
  std::int64_t kv_bytes = 0;           // of one sequence at Ladder::context, numbers of 2 bytes
  double kv_fraction = 1;              // of the unchanged model's
  std::optional<double> speedup;       // of a decode step, predicted by the cost model, against the unchanged model
  std::optional<double> decode_speed;  // tokens per second, measured

  /// The least LevelRetrieval::kept; 1 where none was measured.
  [[nodiscard]] double kept() const;
  /// The mean over tasks. Requires: there are some.
  [[nodiscard]] double mean_accuracy() const;
};

/// Level n is level 0 with the first n rungs in force.
struct Ladder {
  std::string model_name;  // MODEL as it was given: "smollm2-135m", ORG/NAME or a path
  fs::path model_path;     // absolute, of the base model; may be empty
  std::string model_hash;  // Checkpoint::hash() of the base model
  // Level 0: the unchanged model, or a plan of it, whose files lie beside ladder.json as in a healed directory.
  std::string plan_hash;           // of plan.json; empty: none
  std::string adapter_hash;        // of adapter.safetensors; empty: none
  std::vector<MixerSpec> level_0;  // [L]
  std::string weights_hash;        // of the file of what its layers have learnt; empty: none
  std::vector<Rung> rungs;
  /// [rungs + 1] by level; nothing where it wasn't measured, or its mixers have changed since.
  std::vector<std::optional<LevelQuality>> quality;
  int context = 2048;                 // positions at which memory is counted
  Json measured_on = Json::object();  // texts, questions and machine, for people and for going on
  Json options = Json::object();      // what the rungs were chosen with, likewise
  Json run = Json::object();          // RunInfo::to_json()

  /// The highest level: the number of rungs.
  [[nodiscard]] int top() const { return static_cast<int>(rungs.size()); }
  /// The mixers of a level, [L]. Requires: 0 <= level <= top().
  [[nodiscard]] std::vector<MixerSpec> specs(int level) const;
  /// "sha256:<64 hex digits>" of all that a level's results depend on: model, adapter, level 0 and its mixers.
  [[nodiscard]] std::string level_hash(int level) const;
};

inline fs::path ladder_file(const fs::path& directory) { return directory / "ladder.json"; }

/// Whether `path` is a directory with a ladder.json.
bool is_ladder_directory(const fs::path& path);

/// Reads a ladder.json without knowing its model. Figures of levels whose mixers aren't those that were measured are
/// left out, with a warning. Throws Error (one line naming file and key) for another format or version, unknown keys,
/// mixers that don't exist, more layers or rungs than any model has, layers that level 0 doesn't have, and rungs that
/// check_rung() refuses.
Ladder read_ladder(const fs::path& file);

/// Throws Error, its message beginning with `where`, unless the ladder is for this model, and the model can run all of
/// its levels.
void check_ladder(const Ladder& ladder, const Config& config, const std::string& model_hash, const std::string& where);

/// Whether a layer that has `from` may go on to `to`: another mixer, without parameters that would have to be fitted or
/// (unless `learnt`: there are weights) trained, into which what `from` kept of any sequence can be folded, and which
/// keeps no more. Unless `from` keeps everything, its window is no wider, and it has no other whole heads, no more
/// sinks, and no linear state where there was none.
bool may_follow(const MixerSpec& from, const MixerSpec& to, bool learnt = false);

/// Throws Error, its message beginning with `where`, that says why not, unless may_follow().
void check_rung(const MixerSpec& from, const MixerSpec& to, const std::string& where, bool learnt = false);

/// One line for each rung and for each level's figures. Completely or not at all. Throws Error.
void write_ladder(const fs::path& file, const Ladder& ladder);

}  // namespace layerboost
