// Where the time of a step goes, against what its matrix products alone would take.
#pragma once

#include <string>

#include "base/json.h"
#include "heal/distiller.h"

namespace layerboost {

/// The products of one batch with base weights: the teacher's and the student's forward, the gradients of inputs.
struct RooflineWork {
  std::int64_t tokens = 0;
  double operations = 0;  // floating-point operations
  double seconds = 0;     // measured: only these products, in tiles as training has them
};

/// Measures the roofline for a student of these mixers: matrix products with weights of ones, nothing else. Takes some
/// seconds.
RooflineWork measure_roofline(const Config& config, const std::vector<MixerSpec>& specs, int lowest,
                              const CoreBatch& batch, Precision precision);

/// A table for people: seconds and share of each phase of a batch that took `seconds`, and the roofline.
std::string profile_table(const Profile& profile, double seconds, const RooflineWork& roofline);

/// The same as JSON.
Json profile_json(const Profile& profile, double seconds, const RooflineWork& roofline);

}  // namespace layerboost
