// Measured losses of whole plans, kept on disk: an interrupted joint search goes on, and another one reuses them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "plan/joint_search.h"

namespace layerboost {

class MeasuredPlans {
 public:
  /// Reads what `path` holds of `key` (what losses depend on beside the plan: model, data, precision, ...); a file of
  /// another key, or one that can't be understood, is begun anew. `measure` is asked for what isn't there.
  MeasuredPlans(fs::path path, std::string key, MeasurePlan measure);

  /// Returns a plan's loss, measured now unless it is known; what is measured is saved at once.
  JointLossValue operator()(const std::vector<MixerSpec>& specs);

 private:
  void save() const;

  const fs::path path_;
  const std::string key_;
  const MeasurePlan measure_;
  std::map<std::string, JointLossValue> known_;  // by mixers in their written form, joined by spaces
};

}  // namespace layerboost
