#include "artifact/exported_directory.h"

#include "base/error.h"
#include "base/json.h"
#include "model/hf_json.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// One of a mixer's own parameters, which lie among the weights.
const Tensor& tensor_of(const Checkpoint& checkpoint, int layer, MixerKind kind, const ParameterShape& parameter) {
  const std::string name = fmt::format("{}.{}", name_of(kind), parameter.name);
  return checkpoint.tensor(layer_tensor_name(layer, name), parameter.shape);
}

}  // namespace

bool is_exported_directory(const fs::path& path) {
  std::error_code ignored;
  const fs::path config = path / "config.json";
  if (!fs::is_regular_file(config, ignored)) return false;
  const SortedJson json = parse_object(read_file(config), config.string());  // most are not written by this program
  return JsonFields(json, config.string()).text("model_type", "") == "layerboost";
}

Plan exported_plan(const Checkpoint& checkpoint) {
  const Config& config = checkpoint.config();
  const fs::path file = checkpoint.path() / "config.json";
  const std::string where = file.string() + ": layerboost";
  const Json own = get<Json>(read_json(file), "layerboost", file.string());
  Plan plan;
  plan.model_name = get_or<std::string>(get_or<Json>(own, "made_from", Json::object(), where), "name", "", where);
  plan.model_hash = checkpoint.hash();
  const auto mixers = get<std::vector<std::string>>(own, "mixers", where);
  for (std::size_t layer = 0; layer < mixers.size(); ++layer) {
    try {
      plan.layers.push_back({parse_mixer(mixers[layer]), {}});
    } catch (const Error& error) {
      fail("{}: \"mixers\": layer {}: {}", where, layer, error.what());
    }
  }
  check_layers(plan, config, where + ": \"mixers\"");
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = plan.layers[static_cast<std::size_t>(layer)].mixer;
    for (const ParameterShape& parameter : parameter_shapes(config, spec))
      (void)tensor_of(checkpoint, layer, spec.kind, parameter);
  }
  return plan;
}

MixerParameters exported_parameters(const Checkpoint& checkpoint, const Plan& plan) {
  const Config& config = checkpoint.config();
  MixerParameters parameters;
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = plan.layers[static_cast<std::size_t>(layer)].mixer;
    for (const ParameterShape& parameter : parameter_shapes(config, spec)) {
      Tensor tensor = tensor_of(checkpoint, layer, spec.kind, parameter);
      tensor.shape = {static_cast<std::int64_t>(parameter.count())};  // any number of dimensions, in one row
      std::vector<float>& values = parameters[{layer, spec.kind}];
      values.resize(values.size() + parameter.count());
      read_rows(tensor, 0, 1, values.data() + values.size() - parameter.count());
    }
  }
  return parameters;
}

}  // namespace layerboost
