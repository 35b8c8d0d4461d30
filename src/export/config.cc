#include "export/config.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

/// The shortest number that is this float again.
double in_few_digits(float number) { return std::stod(fmt::format("{}", number)); }

Json own_keys(const ExportSource& source, const Config& config) {
  Json mixers = Json::array();
  for (const PlanLayer& layer : source.plan.layers) mixers.push_back(to_string(layer.mixer));
  Json made_from = {{"name", source.plan.model_name}, {"model", source.plan.model_hash}, {"plan", source.plan.hash()}};
  if (!source.adapter_hash.empty()) made_from["adapter"] = source.adapter_hash;
  if (!source.learnt_hash.empty()) made_from["learnt"] = source.learnt_hash;
  Json keys = {{"version", 1},  // where no key is of a later one
               {"base_model_type", config.arch},
               {"mixers", mixers},
               {"rope_frequencies", config.rope.frequencies(config.head_size)},
               {"rope_attention_factor", config.rope.attention_factor},
               {"o_bias", config.o_bias},
               {"qk_norm", config.qk_norm}};
  const std::size_t of_version_1 = keys.size();
  // What only some models have.
  if (config.qk_norm_whole) keys["qk_norm_whole"] = true;
  if (!config.norms_before) keys["norms_before"] = false;
  if (config.norms_after) keys["norms_after"] = true;
  const auto add = [&](const char* key, float value, float usual) {
    if (value != usual) keys[key] = in_few_digits(value);
  };
  add("embedding_scale", config.embedding_scale, 1);
  add("residual_scale", config.residual_scale, 1);
  add("attention_scale", config.attention_scale, 0);
  add("logit_scale", config.logit_scale, 1);
  add("attention_soft_cap", config.attention_soft_cap, 0);
  add("logit_soft_cap", config.logit_soft_cap, 0);
  for (const LayerRope rope : config.rope_layers) keys["rope_layers"].push_back(name_of(rope));
  if (std::ranges::find(config.rope_layers, LayerRope::local) != config.rope_layers.end())
    keys["local_rope_frequencies"] = config.local_rope.frequencies(config.head_size);
  if (config.norms_plus_one) keys["norms_plus_one"] = true;
  // Programs that don't know these keys must not take the model for one without.
  if (keys.size() > of_version_1) keys["version"] = 2;
  // Of use to people only: what is kept is told by the mixers.
  if (std::ranges::any_of(config.windows, [](int window) { return window > 0; })) keys["base_windows"] = config.windows;
  keys["made_from"] = made_from;
  return keys;
}

/// The modelling code has one list of frequencies: those of short texts.
void leave_out_long_texts(const ExportSource& source, Config& config) {
  RopeConfig& rope = config.rope;
  if (config.longest_text() <= rope.longest_short) return;
  config.max_positions = rope.longest_short;
  if (rope.scaling == RopeConfig::Scaling::dynamic) rope.scaling = RopeConfig::Scaling::none;
  rope.long_divisors.clear();
  rope.longest_short = RopeConfig().longest_short;
  for (const PlanLayer& layer : source.plan.layers)
    if (std::max(layer.mixer.window, layer.mixer.sinks) > config.max_positions)
      fail("{}: exported models whose RoPE changes with the length of texts read up to {} tokens, and the plan has {}",
           source.plan.model_name, config.max_positions, to_string(layer.mixer));
}

}  // namespace

Config exported_config(const ExportSource& source) {
  Config config = source.checkpoint.config();
  config.attention.clear();
  for (const PlanLayer& layer : source.plan.layers) config.attention.push_back(descriptor_of(layer.mixer.kind).weights);
  leave_out_long_texts(source, config);
  // bf16 holds these norms' weights only without the 1.
  if (std::exchange(config.one_in_norms, false)) config.norms_plus_one = true;
  return config;
}

Json export_config_json(const ExportSource& source, const Config& exported, const Json& tokens) {
  Json types = Json::array();
  int widest = 0;
  for (const PlanLayer& layer : source.plan.layers) {
    types.push_back(exported_layer_type(layer.mixer));
    widest = std::max(widest, layer.mixer.window);
  }
  const std::string code = "modeling_layerboost.LayerBoost";
  Json json = {{"architectures", {"LayerBoostForCausalLM"}},
               {"auto_map", {{"AutoConfig", code + "Config"}, {"AutoModelForCausalLM", code + "ForCausalLM"}}},
               {"model_type", "layerboost"},
               {"torch_dtype", "bfloat16"},
               {"vocab_size", exported.vocab},
               {"hidden_size", exported.hidden},
               {"intermediate_size", exported.ffn},
               {"num_hidden_layers", exported.layers},
               {"num_attention_heads", exported.heads},
               {"num_key_value_heads", exported.kv_heads},
               {"head_dim", exported.head_size},
               {"hidden_act", exported.gate == Gate::silu ? "silu" : "gelu_pytorch_tanh"},
               {"max_position_embeddings", exported.max_positions},
               {"rms_norm_eps", in_few_digits(exported.norm_eps)},
               {"rope_theta", exported.rope.base},
               {"attention_bias", exported.qkv_bias},
               {"mlp_bias", exported.mlp_bias},
               {"tie_word_embeddings", exported.tied_embeddings}};
  json.update(tokens);
  json["layer_types"] = types;
  if (widest > 0) json["sliding_window"] = widest;
  json["layerboost"] = own_keys(source, exported);
  return json;
}

}  // namespace layerboost
