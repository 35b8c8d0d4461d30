#include "artifact/opened_model.h"

#include <utility>

#include "artifact/int8_calibration.h"
#include "artifact/plan.h"
#include "base/error.h"

namespace layerboost {
namespace {

/// A model with a plan, and an adapter where `files` name one.
OpenedModel open_planned(const ModelFiles& files, Precision precision, KvType kv, bool needs_text) {
  const PlannedFiles planned = read_planned_files(files);
  const Config& config = files.checkpoint->config();
  OpenedModel opened;
  opened.kv = kv;
  opened.specs = planned.plan.specs();
  opened.plan_hash = planned.plan.hash();
  opened.adapter_hash = files.adapter_hash;
  const auto make_mixers = [&](const Model& model) { return std::make_unique<MixerSet>(model, planned.parameters); };
  const WeightChange* const change = planned.change.get();
  const ModelUse use{change, opened.plan_hash + " " + opened.adapter_hash, make_mixers, opened.specs};
  // A plan alone leaves the model as it is, and so its calibration.
  const bool changed = change != nullptr || !config.attention.empty();
  opened.model = load_calibrated(files.checkpoint, precision, changed ? &use : nullptr, needs_text);
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
  return open_model(find_model_files(model, plan), precision, kv, needs_text);
}

OpenedModel open_model(const ModelFiles& files, Precision precision, KvType kv, bool needs_text) {
  if (!files.plan.empty()) return open_planned(files, precision, kv, needs_text);
  check_model_hash(files);
  return as_trained(load_calibrated(files.checkpoint, precision, nullptr, needs_text), kv);
}

OpenedModel open_original_model(const ModelFiles& files, Precision precision, const char* command) {
  if (!files.adapter.empty())
    fail("{} {}: a healed model; give the model that it was made from, {}", command, files.argument,
         files.checkpoint->path().string());
  OpenedModel opened = open_model(files, precision);
  if (opened.exported())
    fail("{} {}: an exported model, parts of which have been left out; give the one that it was made from", command,
         files.argument);
  return opened;
}

OpenedModel as_trained(std::shared_ptr<Model> model, KvType kv) {
  OpenedModel opened;
  opened.kv = kv;
  opened.mixers = std::make_unique<MixerSet>(*model, MixerParameters{}, kv);
  opened.specs = native_specs(model->config);
  opened.model = std::move(model);
  return opened;
}

OpenedModel with_plan(const OpenedModel& original, const fs::path& plan) {
  LB_CHECK(original.original());
  const Model& model = *original.model;
  const Plan read = read_plan(plan, model.config, model.hash);
  OpenedModel opened;
  opened.model = original.model;
  opened.mixers = std::make_unique<MixerSet>(model, read_plan_maps(read, plan, model.config), original.kv);
  opened.kv = original.kv;
  opened.specs = read.specs();
  opened.plan_hash = read.hash();
  return opened;
}

UnchangedModel::UnchangedModel(const OpenedModel& opened) {
  if ((!opened.planned() && opened.kv == KvType::bf16) || opened.exported()) return;
  if (!opened.original()) base_ = load_calibrated(opened.model->weights.checkpoint, opened.model->precision);
  const Model& unchanged = base_ != nullptr ? *base_ : *opened.model;
  mixers_ = std::make_unique<MixerSet>(unchanged);
  run_.emplace(ModelWithMixers{unchanged, mixers_->list(native_specs(unchanged.config))});
}

}  // namespace layerboost
