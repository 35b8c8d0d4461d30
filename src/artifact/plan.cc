#include "artifact/plan.h"

#include <algorithm>

#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

void check_full_heads(const MixerSpec& mixer, const Config& config, const std::string& where, const std::string& name) {
  const HeadSet all = all_heads(config.kv_heads);
  if ((mixer.full & ~all) != 0)
    fail("{}: {} names KV heads that {} doesn't have; its heads are 0 to {}", where, to_string(mixer), name,
         config.kv_heads - 1);
  if (mixer.full == all) fail("{}: {} names all KV heads of {}: say softmax", where, to_string(mixer), name);
  if (mixer.window > config.max_positions)  // each page has its place at once
    fail("{}: the window of {} is wider than the {} positions of {}: say softmax", where, to_string(mixer),
         config.max_positions, name);
}

}  // namespace

std::vector<MixerSpec> Plan::specs() const {
  std::vector<MixerSpec> result;
  for (const PlanLayer& layer : layers) result.push_back(layer.mixer);
  return result;
}

std::string Plan::hash() const {
  std::string text = model_hash + "\n";
  for (const PlanLayer& layer : layers) text += to_string(layer.mixer) + "\n";
  if (maps) text += maps->hash + "\n";
  return content_hash(text);
}

Plan read_plan(const fs::path& path, const Config& config, const std::string& model_hash) {
  Plan plan = read_plan(path);
  if (plan.model_hash != model_hash)
    fail("{}: \"model\" is {} ({}), but the model given is {} ({}); make a plan for it with layerboost plan",
         path.string(), printable(plan.model_name, 80), printable(plan.model_hash, 80), printable(config.name, 80),
         model_hash);
  check_layers(plan, config, path.string());
  return plan;
}

void check_layers(const Plan& plan, const Config& config, const std::string& where) {
  const std::string name = printable(config.name, 80);
  if (std::ssize(plan.layers) != config.layers)
    fail("{}: \"layers\" has {} layers, but {} has {}", where, plan.layers.size(), name, config.layers);
  for (int l = 0; l < config.layers; ++l) {
    const MixerSpec& mixer = plan.layers[static_cast<std::size_t>(l)].mixer;
    if (mixer.sinks > config.max_positions)  // memory for them is taken at once
      fail("{}: layer {}: \"sinks\" is {}; {} has {} positions", where, l, mixer.sinks, name, config.max_positions);
    if (mixer.full != 0) check_full_heads(mixer, config, fmt::format("{}: layer {}", where, l), name);
    if (config.attention_of(l) > descriptor_of(mixer.kind).weights)
      fail("{}: layer {}: its mixer is {}, but its attention was left out when {} was exported", where, l,
           to_string(mixer), name);
  }
}

MixerParameters read_plan_maps(const Plan& plan, const fs::path& path, const Config& config) {
  if (!plan.maps) return {};
  const fs::path file = path.parent_path() / plan.maps->file;
  const std::string hash = file_hash(file);
  if (hash != plan.maps->hash)
    fail("{}: has changed since {} was made (\"maps\": expected {}, found {})", file.string(), path.string(),
         printable(plan.maps->hash, 80), hash);
  MixerParameters maps = read_parameters(file, config, plan.specs());
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const MixerKind kind = plan.layers[l].mixer.kind;
    if (descriptor_of(kind).fitted_map && !maps.contains({static_cast<int>(l), kind}))
      fail("{}: has no {} for layer {}, which {} gives one", file.string(), name_of(kind), l, path.string());
  }
  return maps;
}

}  // namespace layerboost
