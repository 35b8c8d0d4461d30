// What a MODEL argument and --plan name, opened and ready to run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mixer/mixers.h"
#include "model/model.h"

namespace layerboost {

struct OpenedModel {
  std::unique_ptr<Model> model;
  std::unique_ptr<MixerSet> mixers;
  std::vector<MixerSpec> specs;  // [L] the plan's, or the model's own
  std::string plan_hash;         // empty: no plan

  [[nodiscard]] bool planned() const { return !plan_hash.empty(); }
  /// The mixers to run with: the plan's, or the model's own.
  [[nodiscard]] const MixerList& list() const { return mixers->list(specs); }
  /// The unchanged model's.
  [[nodiscard]] const MixerList& unchanged() const { return mixers->list(native_specs(model->config)); }
};

/// Opens what find_model() finds, or a directory that `boost` wrote: its model with its plan. `plan`: a plan file,
/// which goes before the directory's own; empty for none. Throws Error.
OpenedModel open_model_argument(const std::string& model, const std::string& plan, Precision precision);

}  // namespace layerboost
