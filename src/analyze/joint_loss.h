// What a whole plan loses, measured: losses of single layers don't add up.
#pragma once

#include <functional>
#include <vector>

#include "analyze/calibration_runner.h"
#include "mixer/mixers.h"

namespace layerboost {

/// A plan's measured losses against the unchanged model, or the plan that they are counted from.
struct JointOutcome {
  double kl = 0, kl_error = 0;                // mean over texts and its standard error, nats
  double nll = 0, nll_error = 0;              // paired change
  double retrieval = 0, retrieval_error = 0;  // retrieval_loss(); the error is that of the losses' mean
  double agreement = 1;                       // share of tokens with the unchanged model's best
};

class JointLoss {
 public:
  /// Runs the unchanged model once; or the plan `from` [L], where losses are counted from that. Requires: `model`,
  /// `mixers` and `calibration` outlive this.
  JointLoss(const Model& model, MixerSet& mixers, const Calibration& calibration,
            const std::vector<MixerSpec>& from = {});

  /// Runs the plan `specs` [L] over the calibration. Throws Interrupted.
  JointOutcome measure(const std::vector<MixerSpec>& specs);

 private:
  MixerSet& mixers_;
  CalibrationRunner runner_;
  AlignedBuffer embedded_;
  CalibrationOutcome base_;
};

}  // namespace layerboost
