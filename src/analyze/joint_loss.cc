#include "analyze/joint_loss.h"

#include "eval/statistics.h"

namespace layerboost {

JointLoss::JointLoss(const Model& model, MixerSet& mixers, const Calibration& calibration)
    : mixers_(mixers), runner_(model, calibration) {
  Progress progress("unchanged model", static_cast<std::int64_t>(runner_.rows()), "tokens");
  base_ = runner_.record(mixers.list(native_specs(model.config)), progress);
  runner_.embed(embedded_.reserve_as<float>(runner_.rows() * static_cast<std::size_t>(model.config.hidden)));
}

JointOutcome JointLoss::measure(const std::vector<MixerSpec>& specs) {
  Progress progress("measure plan", static_cast<std::int64_t>(runner_.rows()), "tokens");
  const auto* const embedded = reinterpret_cast<const float*>(embedded_.data());
  const CalibrationOutcome outcome = runner_.measure(mixers_.list(specs), embedded, 0, progress);
  const Estimate kl = estimate(outcome.kl);
  const Estimate nll = paired_difference(base_.nll, outcome.nll);
  const Estimate retrieval = paired_difference(outcome.retrieval, base_.retrieval);
  JointOutcome result{kl.mean, kl.error, nll.mean, nll.error, 0, 0, estimate(outcome.agreement).mean};
  if (retrieval.n > 0) result.retrieval = retrieval.mean, result.retrieval_error = retrieval.error;
  return result;
}

}  // namespace layerboost
