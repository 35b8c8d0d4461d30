#include "cli/model_argument.h"

#include "base/error.h"
#include "base/json.h"
#include "cli/boost_directory.h"
#include "cli/model_store.h"
#include "mixer/int8_calibration.h"
#include "plan/plan.h"

namespace layerboost {

OpenedModel open_model_argument(const std::string& model, const std::string& plan, Precision precision) {
  fs::path model_path, plan_path = plan;
  if (is_boost_directory(model)) {
    const BoostDirectory directory = read_boost_directory(model);
    model_path = directory.model_path;
    if (plan.empty()) plan_path = fs::path(model) / "plan.json";
  } else {
    model_path = find_model(model);
  }

  OpenedModel opened;
  opened.model = open_model(model_path, precision);
  const Config& config = opened.model->config;
  if (plan_path.empty()) {
    opened.mixers = std::make_unique<MixerSet>(*opened.model);
    opened.specs = native_specs(config);
    return opened;
  }
  const Plan chosen = read_plan(plan_path, config, opened.model->hash);
  opened.mixers = std::make_unique<MixerSet>(*opened.model, read_plan_maps(chosen, plan_path, config));
  opened.specs = chosen.specs();
  opened.plan_hash = chosen.hash();
  return opened;
}

}  // namespace layerboost
