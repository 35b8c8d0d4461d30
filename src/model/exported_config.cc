#include "model/exported_config.h"

#include <algorithm>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

const SortedJson& list(const JsonFields& own, const char* key, int size) {
  const SortedJson* found = own.find(key);
  if (found == nullptr || !found->is_array() || std::ssize(*found) != size)
    fail("{}: \"{}\" should be a list of {} entries", own.where(), key, size);
  return *found;
}

/// The frequencies of this key themselves, as divisors of the plain ones.
RopeConfig read_rope(const JsonFields& fields, const JsonFields& own, const char* key, int head_size) {
  RopeConfig rope;
  rope.base = fields.number("rope_theta", rope.base);
  rope.attention_factor = own.number("rope_attention_factor");
  const SortedJson& frequencies = list(own, key, head_size / 2);
  // What has no RoPE comes last.
  std::size_t turned = frequencies.size();
  while (turned > 1 && frequencies[turned - 1] == 0) --turned;
  if (turned < frequencies.size()) rope.rotated = static_cast<int>(2 * turned);
  const std::vector<double> plain = rope.frequencies(head_size);
  for (std::size_t i = 0; i < turned; ++i) {
    if (!frequencies[i].is_number() || !(frequencies[i].get<double>() > 0))
      fail("{}: \"{}\" should be positive numbers", own.where(), key);
    rope.divisors.push_back(plain[i] / frequencies[i].get<double>());
  }
  return rope;
}

std::vector<LayerRope> exported_rope_layers(const JsonFields& own, int layers) {
  std::vector<LayerRope> result;
  for (const SortedJson& name : list(own, "rope_layers", layers)) {
    const auto known = {LayerRope::usual, LayerRope::none, LayerRope::local};
    const auto* const found = std::find_if(known.begin(), known.end(), [&](LayerRope r) { return name == name_of(r); });
    if (found == known.end()) fail("{}: \"rope_layers\" should be usual, none or local", own.where());
    result.push_back(*found);
  }
  return result;
}

std::vector<int> read_base_windows(const JsonFields& own, int layers) {
  std::vector<int> windows;
  for (const SortedJson& window : list(own, "base_windows", layers)) {
    if (!window.is_number_integer() || window < 0 || window > INT32_MAX)
      fail("{}: \"base_windows\" should be integers of 0 to 2^31-1", own.where());
    windows.push_back(window.get<int>());
  }
  return windows;
}

}  // namespace

void read_exported_config(const JsonFields& fields, Config& c) {
  const std::string where = fields.where() + ": layerboost";
  const SortedJson* object = fields.find("layerboost");
  if (object == nullptr || !object->is_object())
    fail("{}: missing \"layerboost\"; run layerboost export again", fields.where());
  const JsonFields own(*object, where);
  if (const int version = own.integer("version"); version != 1 && version != 2)
    fail("{}: \"version\" is {}; this program reads 1 and 2", where, version);
  c.arch = own.text("base_model_type");
  if (c.head_size < 2 || c.head_size % 2 != 0) fail("{}: \"head_dim\" is {}; it should be even", where, c.head_size);
  c.rope = read_rope(fields, own, "rope_frequencies", c.head_size);
  c.qkv_bias = fields.flag("attention_bias", false);
  c.mlp_bias = fields.flag("mlp_bias", false);
  c.o_bias = own.flag("o_bias", false);
  c.qk_norm = own.flag("qk_norm", false);
  c.qk_norm_whole = own.flag("qk_norm_whole", false);
  c.norms_before = own.flag("norms_before", true);
  c.norms_after = own.flag("norms_after", false);
  c.embedding_scale = static_cast<float>(own.number("embedding_scale", 1));
  c.residual_scale = static_cast<float>(own.number("residual_scale", 1));
  c.attention_scale = static_cast<float>(own.number("attention_scale", 0));
  c.logit_scale = static_cast<float>(own.number("logit_scale", 1));
  c.attention_soft_cap = static_cast<float>(own.number("attention_soft_cap", 0));
  c.logit_soft_cap = static_cast<float>(own.number("logit_soft_cap", 0));
  if (own.find("rope_layers") != nullptr) c.rope_layers = exported_rope_layers(own, c.layers);
  if (own.find("local_rope_frequencies") != nullptr)
    c.local_rope = read_rope(fields, own, "local_rope_frequencies", c.head_size);
  c.norms_plus_one = own.flag("norms_plus_one", false);
  if (fields.text("hidden_act", "silu") == "gelu_pytorch_tanh") c.gate = Gate::gelu_tanh;
  c.windows.assign(static_cast<std::size_t>(c.layers), 0);
  if (own.find("base_windows") != nullptr) c.base_windows = read_base_windows(own, c.layers);
  for (const SortedJson& mixer : list(own, "mixers", c.layers))
    if (!mixer.is_string()) fail("{}: \"mixers\" should be texts", where);
  c.attention.assign(static_cast<std::size_t>(c.layers), AttentionParts::all);
}

}  // namespace layerboost
