#include "model/hf_rope.h"

#include <cmath>

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

void read_scaling(const JsonFields& fields, double original_positions, RopeConfig& rope) {
  const std::string type = fields.text("rope_type", fields.text("type", "default").c_str());
  if (type == "default") return;
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::linear;
  } else if (type == "llama3") {
    rope.scaling = RopeConfig::Scaling::llama3;
    rope.low_freq_factor = fields.number("low_freq_factor");
    rope.high_freq_factor = fields.number("high_freq_factor");
    rope.original_positions = fields.number("original_max_position_embeddings");
  } else if (type == "yarn") {
    rope.scaling = RopeConfig::Scaling::yarn;
    rope.beta_fast = fields.number("beta_fast", rope.beta_fast);
    rope.beta_slow = fields.number("beta_slow", rope.beta_slow);
    rope.truncate = fields.flag("truncate", true);
    rope.original_positions = fields.number("original_max_position_embeddings", original_positions);
    rope.attention_factor = yarn_attention_factor(fields, fields.number("factor"));
  } else {
    fail("{}: RoPE scaling {} is not supported; default, linear, llama3 and yarn are", fields.where(), in_quotes(type));
  }
  rope.factor = fields.number("factor");
}

}  // namespace

RopeConfig read_hf_rope(const JsonFields& config, int max_positions) {
  RopeConfig rope;
  rope.base = config.number("rope_theta", rope.base);
  const SortedJson* parameters = config.find("rope_parameters");
  if (parameters == nullptr) parameters = config.find("rope_scaling");
  double partial = config.number("partial_rotary_factor", 1);
  if (parameters != nullptr) {
    if (!parameters->is_object()) fail("{}: RoPE's parameters should be a JSON object", config.where());
    if (parameters->contains("full_attention") || parameters->contains("sliding_attention"))
      fail("{}: RoPE parameters per kind of layer are not supported", config.where());
    const JsonFields fields(*parameters, config.where());
    rope.base = fields.number("rope_theta", rope.base);
    partial = fields.number("partial_rotary_factor", partial);
    read_scaling(fields, config.number("original_max_position_embeddings", max_positions), rope);
  }
  if (partial != 1)
    fail("{}: RoPE on a part of each head (partial_rotary_factor {}) is not supported", config.where(), partial);
  return rope;
}

}  // namespace layerboost
