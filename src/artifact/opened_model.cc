#include "artifact/opened_model.h"

#include "artifact/int8_calibration.h"
#include "artifact/model_files.h"
#include "artifact/plan.h"
#include "base/error.h"

namespace layerboost {
namespace {

/// A model with a plan, and an adapter where `files` name one.
OpenedModel open_planned(const ModelFiles& files, Precision precision, KvType kv, bool needs_text) {
  const PlannedFiles planned = open_planned_files(files);
  const Config& config = planned.checkpoint->config();
  OpenedModel opened;
  opened.kv = kv;
  opened.specs = planned.plan.specs();
  opened.plan_hash = planned.plan.hash();
  opened.adapter_hash = files.adapter_hash;
  const auto make_mixers = [&](const Model& model) { return std::make_unique<MixerSet>(model, planned.parameters); };
  const WeightChange* const change = planned.change ? &*planned.change : nullptr;
  const ModelUse use{change, opened.plan_hash + " " + opened.adapter_hash, make_mixers, opened.specs};
  // A plan alone leaves the model as it is, and so its calibration.
  const bool changed = change != nullptr || !config.attention.empty();
  opened.model = open_model(files.model, precision, changed ? &use : nullptr, needs_text);
  opened.mixers = std::make_unique<MixerSet>(*opened.model, planned.parameters, kv);
  return opened;
}

}  // namespace

void OpenedModel::describe(RunInfo& info) const {
  info.model = model->hash;
  info.plan = plan_hash;
  info.adapter = adapter_hash;
}

OpenedModel open_model_argument(const std::string& model, const std::string& plan, Precision precision, KvType kv,
                                bool needs_text) {
  const ModelFiles files = find_model_files(model, plan);
  if (!files.plan.empty()) return open_planned(files, precision, kv, needs_text);
  if (!files.model_hash.empty()) check_model_hash(files, open_checkpoint(files.model)->hash());
  OpenedModel opened;
  opened.kv = kv;
  opened.model = open_model(files.model, precision, nullptr, needs_text);
  opened.mixers = std::make_unique<MixerSet>(*opened.model, MixerParameters{}, kv);
  opened.specs = native_specs(opened.model->config);
  return opened;
}

OpenedModel open_original_model(const std::string& model, Precision precision, const char* command) {
  const ModelFiles files = find_model_files(model);
  if (!files.adapter.empty())
    fail("{} {}: a healed model; give the model that it was made from, {}", command, model, files.model.string());
  OpenedModel opened = open_model_argument(model, "", precision);
  if (opened.exported())
    fail("{} {}: an exported model, parts of which have been left out; give the one that it was made from", command,
         model);
  return opened;
}

UnchangedModel::UnchangedModel(const std::string& model, const OpenedModel& opened) {
  if ((!opened.planned() && opened.kv == KvType::bf16) || opened.exported()) return;
  if (!opened.original()) base_ = open_model(find_model_files(model).model, opened.model->precision);
  const Model& unchanged = base_ != nullptr ? *base_ : *opened.model;
  mixers_ = std::make_unique<MixerSet>(unchanged);
  run_.emplace(ModelWithMixers{unchanged, mixers_->list(native_specs(unchanged.config))});
}

}  // namespace layerboost
