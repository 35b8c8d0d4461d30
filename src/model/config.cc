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
    if (!divisors->empty() && divisors->size() != static_cast<std::size_t>(head_size / 2))
      fail("{}: {} RoPE frequency divisors for heads of {}; it should be half as many", where, divisors->size(),
           head_size);
  }
}

}  // namespace

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
  if (config.windows.size() != static_cast<std::size_t>(config.layers))
    fail("{}: sliding windows for {} layers of {}", where, config.windows.size(), config.layers);
  for (const int window : config.windows) {
    if (window < 0) fail("{}: a sliding window of {}", where, window);
  }
  check_rope(config.rope, config.head_size, where);
}

}  // namespace layerboost
