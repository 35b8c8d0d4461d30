#include "model/weights.h"

#include <string>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

/// Reads the tensors of one model, smoothing included, in the form that packing wants.
class Loader {
 public:
  Loader(const Checkpoint& checkpoint, Precision precision, const WeightChange* change)
      : checkpoint_(checkpoint), config_(checkpoint.config()), precision_(precision), change_(change) {}

  LayerWeights layer(int index, const LayerSmoothing& smoothing) const {
    const std::string prefix = fmt_prefix(index);
    const std::string mlp = prefix + "mlp.";
    const std::int64_t D = config_.hidden, F = config_.ffn;

    LayerWeights layer;
    const AttentionParts parts = config_.attention_of(index);
    if (parts != AttentionParts::none) {
      layer.mixer_norm = divided(vector(prefix + "input_layernorm.weight", D), smoothing.qkv);
      layer.mixer_smoothing = smoothing.qkv;
    }
    if (parts == AttentionParts::all) add_attention(layer, prefix + "self_attn.", smoothing);

    layer.mlp_norm = divided(vector(prefix + "post_attention_layernorm.weight", D), smoothing.gate_up);
    layer.gate_up = pack({{mlp + "gate_proj.weight", F, {}}, {mlp + "up_proj.weight", F, {}}}, D, smoothing.gate_up);
    if (precision_ == Precision::int8) layer.down_rotation = rotation_block(config_.ffn);
    layer.down = pack({{mlp + "down_proj.weight", D, {}}}, F, {}, layer.down_rotation);
    if (config_.mlp_bias) {
      layer.gate_up_bias = joined({vector(mlp + "gate_proj.bias", F), vector(mlp + "up_proj.bias", F)});
      layer.down_bias = vector(mlp + "down_proj.bias", D);
    }
    return layer;
  }

  void add_attention(LayerWeights& layer, const std::string& attention, const LayerSmoothing& smoothing) const {
    const std::int64_t D = config_.hidden, q = config_.q_size(), kv = config_.kv_size();
    layer.qkv = qkv(attention, smoothing);
    if (config_.qkv_bias)
      layer.qkv_bias = joined({vector(attention + "q_proj.bias", q), vector(attention + "k_proj.bias", kv),
                               divided(vector(attention + "v_proj.bias", kv), smoothing.o)});
    if (config_.qk_norm) {
      layer.q_norm = vector(attention + "q_norm.weight", config_.head_size);
      layer.k_norm = vector(attention + "k_norm.weight", config_.head_size);
    }
    layer.o = o(attention, smoothing);
    layer.o_smoothing = smoothing.o;
    if (config_.o_bias) layer.o_bias = vector(attention + "o_proj.bias", D);
  }

  /// The parts of a layer's attention that `change` changes.
  OwnProjections changed_projections(int index, const LayerSmoothing& smoothing) const {
    const std::string attention = fmt_prefix(index) + "self_attn.";
    const auto changes = [&](const char* part) { return change_->changes(attention + part); };
    OwnProjections own;
    if (changes("q_proj.weight") || changes("k_proj.weight") || changes("v_proj.weight"))
      own.qkv = qkv(attention, smoothing);
    if (changes("o_proj.weight")) own.o = o(attention, smoothing);
    return own;
  }

  PackedMatrix qkv(const std::string& attention, const LayerSmoothing& smoothing) const {
    return pack({{attention + "q_proj.weight", config_.q_size(), {}},
                 {attention + "k_proj.weight", config_.kv_size(), {}},
                 {attention + "v_proj.weight", config_.kv_size(), smoothing.o}},
                config_.hidden, smoothing.qkv);
  }

  PackedMatrix o(const std::string& attention, const LayerSmoothing& smoothing) const {
    return pack({{attention + "o_proj.weight", config_.hidden, {}}}, config_.q_size(), repeated_heads(smoothing.o));
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) const {
    std::vector<float> values(static_cast<std::size_t>(size));
    read_rows(checkpoint_.tensor(name, {size}), 0, 1, values.data());
    return values;
  }

  static std::vector<float> divided(std::vector<float> values, const std::vector<float>& factors) {
    if (!factors.empty())
      for (std::size_t i = 0; i < values.size(); ++i) values[i] /= factors[i];
    return values;
  }

  /// A part of a packed matrix: `rows` rows of the named tensor, row i divided by row_factors[i] unless empty.
  struct Part {
    std::string name;
    std::int64_t rows;
    std::vector<float> row_factors;
  };

  /// The parts one below the other, column j multiplied by column_factors[j] unless empty, then rows rotated by
  /// blocks of `rotation` unless that is 0.
  PackedMatrix pack(const std::vector<Part>& parts, std::int64_t columns, const std::vector<float>& column_factors,
                    int rotation = 0) const {
    std::int64_t total = 0;
    std::vector<const Tensor*> tensors;
    for (const Part& part : parts) {
      tensors.push_back(&checkpoint_.tensor(part.name, {part.rows, columns}));
      total += part.rows;
    }
    const auto read_row = [&](std::int64_t row, float* out) {
      std::size_t p = 0;
      while (row >= parts[p].rows) row -= parts[p++].rows;
      read_rows(*tensors[p], row, 1, out);
      if (change_ != nullptr) change_->apply(parts[p].name, row, {out, static_cast<std::size_t>(columns)});
      const float row_factor =
          parts[p].row_factors.empty() ? 1.0F : 1.0F / parts[p].row_factors[static_cast<std::size_t>(row)];
      if (!column_factors.empty())
        for (std::int64_t j = 0; j < columns; ++j) out[j] *= row_factor * column_factors[static_cast<std::size_t>(j)];
      else if (!parts[p].row_factors.empty())
        for (std::int64_t j = 0; j < columns; ++j) out[j] *= row_factor;
      if (rotation > 0) rotate_row(out, static_cast<int>(columns), rotation);
    };
    return {total, columns, precision_, [&](std::int64_t first, std::int64_t count, float* rows) {
              for (std::int64_t i = 0; i < count; ++i) read_row(first + i, rows + i * columns);
            }};
  }

 private:
  static std::string fmt_prefix(int index) { return "model.layers." + std::to_string(index) + "."; }

  static std::vector<float> joined(const std::vector<std::vector<float>>& parts) {
    std::vector<float> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

  /// [G d] -> [H d]: each KV head's factors for all its query heads.
  std::vector<float> repeated_heads(const std::vector<float>& factors) const {
    std::vector<float> all;
    if (factors.empty()) return all;
    const int d = config_.head_size, ratio = config_.heads / config_.kv_heads;
    for (int head = 0; head < config_.heads; ++head) {
      const auto begin = factors.begin() + static_cast<std::ptrdiff_t>(head / ratio) * d;
      all.insert(all.end(), begin, begin + d);
    }
    return all;
  }

  const Checkpoint& checkpoint_;
  const Config& config_;
  Precision precision_;
  const WeightChange* change_;
};

}  // namespace

std::size_t Weights::bytes() const {
  std::size_t total = head.bytes();
  for (const LayerWeights& layer : layers)
    total += layer.qkv.bytes() + layer.o.bytes() + layer.gate_up.bytes() + layer.down.bytes();
  return total;
}

Weights load_weights(std::shared_ptr<const Checkpoint> checkpoint, Precision precision, const Smoothing* smoothing,
                     const WeightChange* change) {
  const Config& config = checkpoint->config();
  const Loader loader(*checkpoint, precision, change);
  const Smoothing none{std::vector<LayerSmoothing>(static_cast<std::size_t>(config.layers)), {}};
  const Smoothing& factors = smoothing != nullptr ? *smoothing : none;

  Weights weights;
  for (int l = 0; l < config.layers; ++l)
    weights.layers.push_back(loader.layer(l, factors.layers[static_cast<std::size_t>(l)]));
  weights.final_norm = Loader::divided(loader.vector("model.norm.weight", config.hidden), factors.head);
  const char* const head = config.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  weights.head = loader.pack({{head, config.vocab, {}}}, config.hidden, factors.head);
  weights.embedding = checkpoint->tensor("model.embed_tokens.weight", {config.vocab, config.hidden});
  weights.embedding_bytes.assign(weights.embedding.data.begin(), weights.embedding.data.end());
  weights.embedding.data = weights.embedding_bytes;
  checkpoint->check_unchanged();
  weights.checkpoint = std::move(checkpoint);
  return weights;
}

OwnProjections load_projections(const Weights& weights, int layer, const WeightChange& change) {
  const LayerWeights& own = weights.layers[static_cast<std::size_t>(layer)];
  LB_CHECK(weights.checkpoint != nullptr && own.qkv && own.o);
  const LayerSmoothing smoothing{own.mixer_smoothing, own.o_smoothing, {}};
  const Loader loader(*weights.checkpoint, own.qkv.precision(), &change);
  OwnProjections projections = loader.changed_projections(layer, smoothing);
  weights.checkpoint->check_unchanged();
  return projections;
}

}  // namespace layerboost
