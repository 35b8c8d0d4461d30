#include "model/tensor_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

std::string describe(const RopeConfig& rope) {
  return fmt::format("[{} {} {} {} {} {} {} {} {} {} {}]", rope.base, static_cast<int>(rope.scaling), rope.factor,
                     rope.low_freq_factor, rope.high_freq_factor, rope.beta_fast, rope.beta_slow, rope.attention_factor,
                     rope.original_positions, rope.truncate, fmt::join(rope.divisors, ","));
}

/// Everything in the configuration that changes what the model computes. What only some models have comes last, and is
/// left out where a model hasn't got it: what more is read of others doesn't change its hash.
std::string describe(const Config& c) {
  std::string text = fmt::format("{} L{} D{} H{} G{} d{} F{} V{} P{} eps{} rope{} tied{} bias{}{}{} norm{} w{} eos{}",
                                 c.arch, c.layers, c.hidden, c.heads, c.kv_heads, c.head_size, c.ffn, c.vocab,
                                 c.max_positions, c.norm_eps, describe(c.rope), c.tied_embeddings, c.qkv_bias, c.o_bias,
                                 c.mlp_bias, c.qk_norm, fmt::join(c.windows, ","), fmt::join(c.eos, ","));
  if (!c.rope.long_divisors.empty())
    text += fmt::format(" beyond{} {}", c.rope.longest_short, fmt::join(c.rope.long_divisors, ","));
  if (c.rope.rotated > 0) text += fmt::format(" rotated{}", c.rope.rotated);
  if (!c.rope_layers.empty()) {
    text += " rope";
    for (const LayerRope rope : c.rope_layers) text += std::to_string(static_cast<int>(rope));
    text += " local" + describe(c.local_rope);
  }
  if (c.gate != Gate::silu) text += " gelu";
  if (c.norms_plus_one) text += " plus one";
  if (c.qk_norm_whole) text += " whole";
  if (c.norms_after) text += c.norms_before ? " norms around" : " norms after";
  if (!c.norms_before && !c.norms_after) text += " no norms";
  if (c.embedding_scale != 1 || c.residual_scale != 1 || c.logit_scale != 1 || c.attention_scale != 0)
    text += fmt::format(" scales{} {} {} {}", c.embedding_scale, c.residual_scale, c.logit_scale, c.attention_scale);
  if (c.attention_soft_cap > 0 || c.logit_soft_cap > 0)
    text += fmt::format(" caps{} {}", c.attention_soft_cap, c.logit_soft_cap);
  if (!c.attention.empty()) text += " attention";
  for (const AttentionParts parts : c.attention) text += std::to_string(static_cast<int>(parts));
  return text;
}

class TableCheckpoint final : public Checkpoint {
 public:
  TableCheckpoint(Config config, TensorTable tensors, std::function<TokenizerData()> tokenizer,
                  std::vector<MappedFile> files, Config as_told)
      : files_(std::move(files)),
        config_(std::move(config)),
        tensors_(std::move(tensors)),
        tokenizer_(std::move(tokenizer)),
        as_told_(std::move(as_told)) {}

  [[nodiscard]] fs::path path() const override { return tensors_.where(); }
  [[nodiscard]] const Config& config() const override { return config_; }
  [[nodiscard]] const Tensor& tensor(const std::string& name, const std::vector<std::int64_t>& shape) const override {
    return tensors_.get(name, shape);
  }
  [[nodiscard]] TokenizerData tokenizer() const override {
    TokenizerData data = tokenizer_();
    if (data.tokens.size() > static_cast<std::size_t>(config_.vocab))
      warn("{}: the tokenizer has {} tokens, the model {} embeddings; texts with the others are refused",
           tensors_.where(), data.tokens.size(), config_.vocab);
    return data;
  }
  [[nodiscard]] std::string hash() const override { return tensors_.hash(as_told_); }
  void check_unchanged() const override {
    for (const MappedFile& file : files_) file.check_unchanged();
  }

 private:
  std::vector<MappedFile> files_;
  Config config_;
  TensorTable tensors_;
  std::function<TokenizerData()> tokenizer_;
  Config as_told_;  // with the end tokens and windows that the files name
};

}  // namespace

void TensorTable::add(const std::string& name, const std::string& file, Tensor tensor) {
  if (!entries_.try_emplace(name, Entry{file, std::move(tensor)}).second)
    fail("{}: tensor {} appears twice", file, in_quotes(name));
}

void TensorTable::add_unreadable(const std::string& name, const std::string& file, std::string why) {
  unreadable_.try_emplace(name, fmt::format("{}: tensor {} {}", file, in_quotes(name), why));
}

const Tensor& TensorTable::get(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    if (const auto why = unreadable_.find(name); why != unreadable_.end()) fail("{}", why->second);
    fail("{}: missing tensor {}", where_, in_quotes(name));
  }
  const auto& [file, tensor] = it->second;
  if (tensor.shape != shape) {
    fail("{}: tensor {} has the shape [{}]; the configuration asks for [{}]", file, in_quotes(name),
         fmt::join(tensor.shape, ", "), fmt::join(shape, ", "));
  }
  return tensor;
}

void TensorTable::check(const Config& config) const {
  for_each_tensor(config,
                  [&](const std::string& name, const std::vector<std::int64_t>& shape) { (void)get(name, shape); });
}

void TensorTable::order_heads(const Config& config) {
  const auto order = [&](const std::string& name, int heads) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    found->second.tensor.rope_heads = heads;
    found->second.tensor.rope_rotated = config.rope.rotated;
  };
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const auto& name_of_part : {weight_name, bias_name}) {
      order(name_of_part(layer, LayerPart::q), config.heads);
      order(name_of_part(layer, LayerPart::k), config.kv_heads);
    }
  }
}

AttentionParts TensorTable::attention_of(int layer) const {
  const std::string attention = attention_prefix(layer);
  const auto any_of = [&](const auto& tensors) {
    const auto first = tensors.lower_bound(attention);
    return first != tensors.end() && first->first.starts_with(attention);
  };
  if (any_of(entries_) || any_of(unreadable_)) return AttentionParts::all;
  return has(weight_name(layer, LayerPart::mixer_norm)) ? AttentionParts::norm : AttentionParts::none;
}

std::string TensorTable::hash(const Config& config) const {
  constexpr std::size_t sample = 4096;
  std::string digested = describe(config);
  for (const auto& [name, entry] : entries_) {
    const Tensor& t = entry.tensor;
    digested += fmt::format("\n{} {} [{}]\n", name, name_of(t.dtype), fmt::join(t.shape, ","));
    const std::string_view bytes(reinterpret_cast<const char*>(t.data.data()), t.data.size());
    digested += bytes.substr(0, sample);
    if (bytes.size() > sample) digested += bytes.substr(std::max(sample, bytes.size() - sample));
  }
  return content_hash(digested);
}

std::unique_ptr<Checkpoint> make_checkpoint(Config config, TensorTable tensors,
                                            std::function<TokenizerData()> tokenizer, std::vector<MappedFile> files,
                                            const EndTokens& ends) {
  // Exported models have the order that RoPE wants already.
  if (config.rope.rotated > 0 && config.attention.empty()) tensors.order_heads(config);
  for (std::size_t layer = 0; layer < config.attention.size(); ++layer) {
    AttentionParts& parts = config.attention[layer];
    parts = tensors.attention_of(static_cast<int>(layer));
    // No norm, nothing that could be missing.
    if (parts == AttentionParts::none && !config.norms_before) parts = AttentionParts::norm;
  }
  tensors.check(config);
  Config as_told = config;
  for (int& window : config.windows) {
    if (window < config.max_positions) continue;
    config.longest_in_windows = std::min(config.longest_in_windows, window);
    window = 0;
  }
  for (const int id : ends.more)
    if (std::find(config.eos.begin(), config.eos.end(), id) == config.eos.end()) config.eos.push_back(id);
  std::erase_if(config.eos,
                [&](int id) { return std::find(ends.never.begin(), ends.never.end(), id) != ends.never.end(); });
  config.not_eos = ends.never;
  return std::make_unique<TableCheckpoint>(std::move(config), std::move(tensors), std::move(tokenizer),
                                           std::move(files), std::move(as_told));
}

}  // namespace layerboost
