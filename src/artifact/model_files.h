// What a MODEL argument stands for on disk: a model, opened, and perhaps a plan and an adapter made for it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "artifact/ladder.h"
#include "artifact/merge.h"
#include "artifact/plan.h"
#include "base/file.h"

namespace layerboost {

struct ModelFiles {
  std::string argument;  // MODEL, for messages
  std::shared_ptr<const Checkpoint> checkpoint;
  std::string model_hash;  // what it must have; empty: anything
  fs::path plan;           // empty: none; config.json of an exported model that has no other
  std::string plan_hash;   // what it must have; empty: anything
  fs::path adapter;        // empty: none
  std::string adapter_hash;
  std::shared_ptr<const Ladder> ladder;  // that of the directory; nullptr: none that can be read
  std::string ladder_fault;  // why the directory's ladder can't be read, where it isn't needed to run what lies there
  std::string where;         // the directory that says all this, for messages; empty: MODEL names the model itself
};

/// The files of what find_model() finds, of a directory that boost, heal, ladder or export wrote, or of what comes with
/// the program (shipped_or_given()). Where the base model is not at the path recorded, it is looked for by the name
/// recorded. Throws Error when there is no such model, it can't be opened, the directory lacks a file, or its adapter
/// has changed.
ModelFiles find_model_files(const std::string& model);

/// The files of a directory that heal wrote, whose base model is `base`; nullptr: it is looked for.
ModelFiles healed_model_files(const fs::path& directory, std::shared_ptr<const Checkpoint> base = nullptr);

/// The same to be run: with `plan` in place of the directory's own; or, where `plan` is empty, as_it_comes().
ModelFiles find_model_files(const std::string& model, const std::string& plan);

/// The files of a model with a ladder: of a directory with a ladder.json, or of what with_its_ladder() means. Throws
/// Error where there is no ladder, or none that can be read.
ModelFiles find_ladder_files(const std::string& model);

/// Throws ModelFiles::ladder_fault, if there is one.
void check_ladder_fault(const ModelFiles& files);

/// Throws Error unless the model is the one that the directory was made from.
void check_model_hash(const ModelFiles& files);

/// A plan with what it is to be run on, read but not loaded.
struct PlannedFiles {
  Plan plan;
  std::optional<Adapter> adapter;
  std::shared_ptr<const WeightChange> change;  // of the weights: the adapter's; nullptr: none
  MixerParameters parameters;  // of the plan's mixers, those that the adapter has learnt in place of others
};

/// Reads the files, among which a plan, and checks that they belong together. Throws Error.
PlannedFiles read_planned_files(const ModelFiles& files);

}  // namespace layerboost
