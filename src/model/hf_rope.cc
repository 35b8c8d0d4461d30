#include "model/hf_rope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

/// What cosines and sines are multiplied by: modeling_rope_utils.py, _compute_yarn_parameters().
double yarn_attention_factor(const JsonFields& fields, double factor) {
  if (fields.find("attention_factor") != nullptr) return fields.number("attention_factor");
  const auto grown = [&](double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1; };
  const double mscale = fields.number("mscale", 0);
  const double mscale_all_dim = fields.number("mscale_all_dim", 0);
  if (mscale != 0 && mscale_all_dim != 0) return grown(mscale) / grown(mscale_all_dim);
  return grown(1);
}

/// The positions that the model was first trained on: those beside RoPE's parameters, which types that know the key
/// have always, go before those among them, as in transformers.
double original_positions(const JsonFields& config, const JsonFields& fields, int max_positions,
                          const HfModelType& model) {
  const char* const key = "original_max_position_embeddings";
  return config.number(key, model.trained_positions > 0 ? model.trained_positions : fields.number(key, max_positions));
}

/// The scaling of yarn and longrope. Where it isn't said, it is what the positions have grown by.
double grown_factor(const JsonFields& fields, double original_positions, int max_positions) {
  return fields.number("factor", max_positions / original_positions);
}

std::vector<double> factors(const JsonFields& fields, const char* key) {
  const SortedJson* const found = fields.find(key);
  const auto bad = [](const SortedJson& value) { return !value.is_number(); };
  if (found == nullptr || !found->is_array() || std::any_of(found->begin(), found->end(), bad))
    fail("{}: \"{}\" should be a list of numbers", fields.where(), key);
  return found->get<std::vector<double>>();
}

/// The factors of short and of long texts, and what cosines and sines of both are multiplied by:
/// _compute_longrope_parameters().
void read_longrope(const JsonFields& fields, double original_positions, int max_positions, RopeConfig& rope) {
  if (!(original_positions >= 1))
    fail("{}: \"original_max_position_embeddings\" is {}; it should be at least 1", fields.where(), original_positions);
  rope.divisors = factors(fields, "short_factor");
  rope.long_divisors = factors(fields, "long_factor");
  rope.longest_short = static_cast<int>(std::min<double>(original_positions, std::numeric_limits<int>::max()));
  const double factor = grown_factor(fields, original_positions, max_positions);
  const double grown = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original_positions));
  rope.attention_factor = fields.number("attention_factor", grown);
}

void read_scaling(const JsonFields& config, const JsonFields& fields, int max_positions, const HfModelType& model,
                  RopeConfig& rope) {
  std::string type = fields.text("rope_type", fields.text("type", "default").c_str());
  if (model.only_longrope) {
    if (type == "su" || type == "yarn") type = "longrope";
    if (type != "default" && type != "longrope")
      fail("{}: RoPE scaling {} is not supported for {}; default and longrope are", fields.where(), in_quotes(type),
           model.name);
  }
  if (type == "default") return;
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::linear;
  } else if (type == "llama3") {
    rope.scaling = RopeConfig::Scaling::llama3;
    rope.low_freq_factor = fields.number("low_freq_factor");
    rope.high_freq_factor = fields.number("high_freq_factor");
    rope.original_positions = original_positions(config, fields, max_positions, model);
  } else if (type == "yarn") {
    rope.scaling = RopeConfig::Scaling::yarn;
    rope.beta_fast = fields.number("beta_fast", rope.beta_fast);
    rope.beta_slow = fields.number("beta_slow", rope.beta_slow);
    rope.truncate = fields.flag("truncate", true);
    rope.original_positions = original_positions(config, fields, max_positions, model);
    rope.factor = grown_factor(fields, rope.original_positions, max_positions);
    rope.attention_factor = yarn_attention_factor(fields, rope.factor);
    return;
  } else if (type == "longrope") {
    read_longrope(fields, original_positions(config, fields, max_positions, model), max_positions, rope);
    return;
  } else if (type == "dynamic") {  // heeds no original positions, in transformers 5
    rope.scaling = RopeConfig::Scaling::dynamic;
    rope.longest_short = max_positions;
  } else {
    fail("{}: RoPE scaling {} is not supported; default, linear, dynamic, llama3, longrope and yarn are",
         fields.where(), in_quotes(type));
  }
  rope.factor = fields.number("factor");
}

/// RoPE's parameters under this key, which aren't by kind of layer; an empty object where there are none.
SortedJson parameters_of_all(const JsonFields& config, const char* key) {
  const SortedJson* const found = config.find(key);
  if (found == nullptr) return SortedJson::object();
  if (!found->is_object()) fail("{}: \"{}\" should be a JSON object", config.where(), key);
  if (found->contains("full_attention") || found->contains("sliding_attention"))
    fail("{}: \"{}\" per kind of layer are not supported", config.where(), key);
  return *found;
}

/// What "rope_parameters" say of this kind of layer, in a type where kinds differ; an empty object: nothing.
SortedJson parameters_of_kind(const JsonFields& config, const char* kind) {
  const SortedJson* const found = config.find("rope_parameters");
  if (found == nullptr || found->empty()) return SortedJson::object();
  // transformers don't heed any others here.
  if (!found->is_object() || (!found->contains("full_attention") && !found->contains("sliding_attention")))
    fail("{}: \"rope_parameters\" should be per kind of layer, full_attention and sliding_attention", config.where());
  const auto own = found->find(kind);
  if (own == found->end() || own->is_null()) return SortedJson::object();
  if (!own->is_object()) fail("{}: \"rope_parameters\" of {} should be a JSON object", config.where(), kind);
  return *own;
}

/// As convert_rope_params_to_dict() of transformers' configurations combines them.
SortedJson usual_parameters(const JsonFields& config, const HfModelType& model) {
  SortedJson parameters = parameters_of_all(config, "rope_scaling");
  if (model.local_rope_base > 0) {
    SortedJson changed = parameters_of_kind(config, "full_attention");
    changed.update(parameters);
    return changed;
  }
  // The older name goes first: people add it to a file that has the newer one.
  return parameters.empty() ? parameters_of_all(config, "rope_parameters") : parameters;
}

}  // namespace

RopeConfig read_hf_local_rope(const JsonFields& config, int max_positions, const HfModelType& model) {
  RopeConfig rope;
  rope.base = config.number("rope_local_base_freq", model.local_rope_base);
  const SortedJson parameters = parameters_of_kind(config, "sliding_attention");
  const JsonFields fields(parameters, config.where());
  rope.base = fields.number("rope_theta", rope.base);
  read_scaling(config, fields, max_positions, model, rope);
  if (!rope.long_divisors.empty() || rope.scaling == RopeConfig::Scaling::dynamic)
    fail("{}: RoPE of type longrope or dynamic in layers with a window is not supported", config.where());
  return rope;
}

RopeConfig read_hf_rope(const JsonFields& config, int max_positions, int head_size, const HfModelType& model) {
  RopeConfig rope;
  rope.base = config.number("rope_theta", model.rope_base);
  const SortedJson parameters = usual_parameters(config, model);
  const JsonFields fields(parameters, config.where());
  rope.base = fields.number("rope_theta", rope.base);
  const double partial = fields.number("partial_rotary_factor", config.number("partial_rotary_factor", 1));
  read_scaling(config, fields, max_positions, model, rope);
  const double rotated = std::floor(head_size * partial);
  if (model.partial_rope && rotated >= 2 && rotated <= head_size) {
    if (rotated < head_size) rope.rotated = static_cast<int>(rotated);
    return rope;
  }
  if (partial != 1)
    fail("{}: RoPE on a part of each head (partial_rotary_factor {}) is not supported", config.where(), partial);
  return rope;
}

}  // namespace layerboost
