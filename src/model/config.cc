#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace layerboost {
namespace {

void check_rope(const RopeConfig& rope, int head_size, const std::string& where) {
  const auto positive = [&](double value, const char* name) {
    if (!(value > 0 && std::isfinite(value))) fail("{}: RoPE's {} is {}; it should be positive", where, name, value);
  };
  positive(rope.base, "base");
  positive(rope.factor, "scaling factor");
  positive(rope.attention_factor, "attention factor");
  if (rope.scaling == RopeConfig::Scaling::llama3 || rope.scaling == RopeConfig::Scaling::yarn)
    positive(rope.original_positions, "number of positions before scaling");
  if (rope.scaling == RopeConfig::Scaling::llama3) {
    positive(rope.low_freq_factor, "low frequency factor");
    positive(rope.high_freq_factor, "high frequency factor");
    if (rope.low_freq_factor >= rope.high_freq_factor)
      fail("{}: RoPE's low frequency factor {} should be below the high one, {}", where, rope.low_freq_factor,
           rope.high_freq_factor);
  }
  if (rope.scaling == RopeConfig::Scaling::yarn) {
    positive(rope.beta_fast, "beta_fast");
    positive(rope.beta_slow, "beta_slow");
    if (rope.base == 1) fail("{}: RoPE's base should not be 1 with yarn", where);
  }
  for (const std::vector<double>* divisors : {&rope.divisors, &rope.long_divisors}) {
    for (const double divisor : *divisors) positive(divisor, "frequency divisor");
    if (const int turned = rope.rotated_of(head_size);
        !divisors->empty() && divisors->size() != static_cast<std::size_t>(turned / 2))
      fail("{}: {} RoPE frequency divisors for heads of {}; it should be half as many", where, divisors->size(),
           turned);
  }
  if (rope.rotated < 0 || rope.rotated >= head_size || rope.rotated % 2 != 0)
    fail("{}: RoPE on {} numbers of each head of {}; it should be an even number, and less", where, rope.rotated,
         head_size);
}

}  // namespace

const char* name_of(LayerRope rope) {
  switch (rope) {
    case LayerRope::usual:
      return "usual";
    case LayerRope::none:
      return "none";
    case LayerRope::local:
      return "local";
  }
  LB_CHECK(false);
}

std::vector<double> Config::rope_frequencies(int tokens) const {
  std::vector<double> all = rope.frequencies(head_size, tokens);
  if (std::ranges::find(rope_layers, LayerRope::local) == rope_layers.end()) return all;
  const std::vector<double> local = local_rope.frequencies(head_size);
  all.insert(all.end(), local.begin(), local.end());
  return all;
}

std::vector<double> Config::rope_exponents() const {
  std::vector<double> all = rope.exponents(head_size);
  all.resize(rope_frequencies().size(), 0);  // local ones don't change
  return all;
}

float Config::score_scale() const {
  return attention_scale > 0 ? attention_scale : 1.0F / std::sqrt(static_cast<float>(head_size));
}

void check_config(const Config& config, const std::string& where) {
  constexpr int largest = 1 << 24;
  constexpr std::int64_t largest_product = std::int64_t{1} << 40;
  const auto size = [&](int value, int limit, const char* name) {
    if (value < 1 || value > limit) fail("{}: the {} is {}; it should be 1 to {}", where, name, value, limit);
  };
  size(config.layers, max_layers, "number of layers");
  size(config.hidden, largest, "hidden size");
  size(config.heads, largest, "number of query heads");
  size(config.kv_heads, largest, "number of KV heads");
  size(config.head_size, largest, "head size");
  size(config.ffn, largest, "FFN size");
  size(config.vocab, largest, "vocabulary size");
  size(config.max_positions, largest, "number of positions");
  if (config.heads % config.kv_heads != 0)
    fail("{}: {} query heads are not a multiple of {} KV heads", where, config.heads, config.kv_heads);
  if (config.head_size % 2 != 0) fail("{}: the head size {} is odd; RoPE needs an even one", where, config.head_size);
  const std::int64_t width = std::int64_t{config.heads} * config.head_size;
  if (width > largest) fail("{}: {} heads of {} are too many", where, config.heads, config.head_size);
  if (std::max({width, std::int64_t{config.ffn}, std::int64_t{config.vocab}}) * config.hidden > largest_product)
    fail("{}: a weight matrix has more than 2^40 elements", where);
  if (!(config.norm_eps >= 0 && std::isfinite(config.norm_eps)))
    fail("{}: the norm's epsilon is {}; it should be a small positive number", where, config.norm_eps);
  for (const float scale : {config.embedding_scale, config.residual_scale, config.logit_scale})
    if (!(scale > 0 && std::isfinite(scale)))
      fail("{}: a multiplier of embeddings, of the residual stream or of logits is {}; it should be positive", where,
           scale);
  if (!(config.attention_scale >= 0 && std::isfinite(config.attention_scale)))
    fail("{}: the multiplier of attention is {}; it should be positive", where, config.attention_scale);
  constexpr float largest_cap = 1e30F;  // caps are computed with times log2(e)
  for (const float cap : {config.attention_soft_cap, config.logit_soft_cap})
    if (!(cap >= 0 && cap <= largest_cap))
      fail("{}: a soft cap of scores or of logits is {}; it should be positive, and at most {}", where, cap,
           largest_cap);
  if (config.windows.size() != static_cast<std::size_t>(config.layers))
    fail("{}: sliding windows for {} layers of {}", where, config.windows.size(), config.layers);
  for (const int window : config.windows) {
    if (window < 0) fail("{}: a sliding window of {}", where, window);
  }
  if (!config.rope_layers.empty() && config.rope_layers.size() != static_cast<std::size_t>(config.layers))
    fail("{}: {} layers of {} say whether they have RoPE", where, config.rope_layers.size(), config.layers);
  check_rope(config.rope, config.head_size, where);
  if (std::ranges::find(config.rope_layers, LayerRope::local) == config.rope_layers.end()) return;
  check_rope(config.local_rope, config.head_size, where);
  if (config.local_rope.attention_factor != config.rope.attention_factor)
    fail("{}: RoPE's attention factor {}, and {} in layers with a window; it should be the same", where,
         config.rope.attention_factor, config.local_rope.attention_factor);
}

}  // namespace layerboost
