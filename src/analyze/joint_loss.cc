#include "analyze/joint_loss.h"

#include "eval/statistics.h"

namespace layerboost {

JointLoss::JointLoss(const Model& model, MixerSet& mixers, const Calibration& calibration,
                     const std::vector<MixerSpec>& from)
    : mixers_(mixers), runner_(model, calibration) {
  Progress progress(from.empty() ? "unchanged model" : "level 0", static_cast<std::int64_t>(runner_.rows()), "tokens");
  base_ = runner_.record(mixers.list(from.empty() ? native_specs(model.config) : from), progress);
  runner_.embed(embedded_.reserve_as<float>(runner_.rows() * static_cast<std::size_t>(model.config.hidden)));
}

JointOutcome JointLoss::measure(const std::vector<MixerSpec>& specs) {
  Progress progress("measure plan", static_cast<std::int64_t>(runner_.rows()), "tokens");
  const auto* const embedded = reinterpret_cast<const float*>(embedded_.data());
  const CalibrationOutcome outcome = runner_.measure(mixers_.list(specs), embedded, 0, progress);
  const Estimate kl = estimate(outcome.kl);
  const Estimate nll = paired_difference(base_.nll, outcome.nll);
  const std::vector<double> lost = retrieval_losses(base_, outcome);
  const double error = lost.empty() ? 0 : estimate(lost).error;
  return {kl.mean, kl.error, nll.mean, nll.error, retrieval_loss(lost), error, estimate(outcome.agreement).mean};
}

}  // namespace layerboost
