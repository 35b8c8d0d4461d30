#include "app/model_export.h"

#include <algorithm>
#include <map>

#include "app/check_files.h"
#include "artifact/healed_directory.h"
#include "artifact/ladder.h"
#include "artifact/model_files.h"
#include "artifact/opened_ladder.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/json.h"
#include "export/export.h"
#include "mixer/parameters.h"
#include "mixer/spec.h"

namespace layerboost {
namespace {

/// The parameters of the plan's mixers, by name; where nothing was learnt or measured, those that they start with.
std::map<std::string, NamedParameter> mixer_parameters_of(const PlannedFiles& planned, const Config& config) {
  MixerParameters parameters;
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = planned.plan.layers[static_cast<std::size_t>(layer)].mixer;
    if (parameter_count(config, spec) > 0)
      parameters[{layer, spec.kind}] = parameters_for(config, layer, spec, planned.parameters);
  }
  return named_parameters(config, parameters, planned.plan.specs());
}

void export_level(const ExportOptions& options, int level) {
  if (!options.plan.empty()) fail("`level` {}: not with `plan`, for a ladder has its own", level);
  const ModelFiles files = find_ladder_files(options.model);
  const Ladder& ladder = *files.ladder;
  const PlannedFiles planned = read_level_files(files, level);
  const std::optional<LevelQuality>& quality = ladder.quality[static_cast<std::size_t>(level)];
  const bool learnt =
      std::ranges::any_of(planned.plan.specs(), [](const MixerSpec& spec) { return must_be_trained(spec.kind); });
  export_model({*files.checkpoint, files.checkpoint->path(), planned.plan, planned.change.get(),
                mixer_parameters_of(planned, files.checkpoint->config()), files.adapter_hash, Json::object(),
                learnt ? ladder.weights_hash : "", quality ? &*quality : nullptr},
               options.output);
}

void export_plan_of(const ExportOptions& options) {
  const ModelFiles files = find_model_files(options.model, options.plan);
  if (files.plan.empty())
    fail(
        "export {}: a model without a plan; give a directory that heal or boost wrote, `plan`, or the `level` of a "
        "ladder",
        options.model);
  const PlannedFiles planned = read_planned_files(files);
  const Json healing =
      files.adapter.empty() ? Json::object() : read_healed_directory(files.adapter.parent_path()).figures;
  export_model({*files.checkpoint, files.checkpoint->path(), planned.plan, planned.change.get(),
                mixer_parameters_of(planned, files.checkpoint->config()), files.adapter_hash, healing},
               options.output);
}

}  // namespace

void export_planned_model(const ExportOptions& options) {
  check_input(options.plan, "plan");
  check_output_directory(options.output, "output");
  if (options.level)
    export_level(options, *options.level);
  else
    export_plan_of(options);
}

}  // namespace layerboost
