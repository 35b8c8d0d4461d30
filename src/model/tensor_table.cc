#include "model/tensor_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// Everything in the configuration that changes what the model computes.
std::string describe(const Config& c) {
  std::string text = fmt::format(
      "{} L{} D{} H{} G{} d{} F{} V{} P{} eps{} rope[{} {} {} {} {} {} {} {} {} {} {}] tied{} bias{}{}{} norm{} w{} "
      "eos{}",
      c.arch, c.layers, c.hidden, c.heads, c.kv_heads, c.head_size, c.ffn, c.vocab, c.max_positions, c.norm_eps,
      c.rope.base, static_cast<int>(c.rope.scaling), c.rope.factor, c.rope.low_freq_factor, c.rope.high_freq_factor,
      c.rope.beta_fast, c.rope.beta_slow, c.rope.attention_factor, c.rope.original_positions, c.rope.truncate,
      fmt::join(c.rope.divisors, ","), c.tied_embeddings, c.qkv_bias, c.o_bias, c.mlp_bias, c.qk_norm,
      fmt::join(c.windows, ","), fmt::join(c.eos, ","));
  if (!c.rope.long_divisors.empty())
    text += fmt::format(" beyond{} {}", c.rope.longest_short, fmt::join(c.rope.long_divisors, ","));
  if (!c.attention.empty()) text += " attention";
  for (const AttentionParts parts : c.attention) text += std::to_string(static_cast<int>(parts));
  return text;
}

class TableCheckpoint final : public Checkpoint {
 public:
  TableCheckpoint(Config config, TensorTable tensors, std::function<TokenizerData()> tokenizer,
                  std::vector<MappedFile> files, std::vector<int> own_ends)
      : files_(std::move(files)),
        config_(std::move(config)),
        tensors_(std::move(tensors)),
        tokenizer_(std::move(tokenizer)),
        own_ends_(std::move(own_ends)) {}

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
  [[nodiscard]] std::string hash() const override {
    Config as_told = config_;
    as_told.eos = own_ends_;
    return tensors_.hash(as_told);
  }
  void check_unchanged() const override {
    for (const MappedFile& file : files_) file.check_unchanged();
  }

 private:
  std::vector<MappedFile> files_;
  Config config_;
  TensorTable tensors_;
  std::function<TokenizerData()> tokenizer_;
  std::vector<int> own_ends_;  // the end tokens that the files name
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
                                            const std::vector<int>& more_ends) {
  for (std::size_t layer = 0; layer < config.attention.size(); ++layer)
    config.attention[layer] = tensors.attention_of(static_cast<int>(layer));
  tensors.check(config);
  std::vector<int> own_ends = config.eos;
  for (const int id : more_ends)
    if (std::find(config.eos.begin(), config.eos.end(), id) == config.eos.end()) config.eos.push_back(id);
  return std::make_unique<TableCheckpoint>(std::move(config), std::move(tensors), std::move(tokenizer),
                                           std::move(files), std::move(own_ends));
}

}  // namespace layerboost
