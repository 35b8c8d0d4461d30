#include "model/weights.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// Reads the tensors of one model, smoothing included, in the form that packing wants.
class Loader {
 public:
  Loader(const Checkpoint& checkpoint, Precision precision, const WeightChange* change)
      : checkpoint_(checkpoint), config_(checkpoint.config()), precision_(precision), change_(change) {}

  LayerWeights layer(int index, const LayerSmoothing& smoothing) const {
    const int D = config_.hidden;
    LayerWeights layer;
    const AttentionParts parts = config_.attention_of(index);
    if (parts != AttentionParts::none && config_.norms_before) {
      layer.mixer_norm = divided(norm(weight_name(index, LayerPart::mixer_norm), D), smoothing.qkv);
      layer.mixer_smoothing = smoothing.qkv;
    }
    if (parts == AttentionParts::all) add_attention(layer, index, smoothing);

    if (config_.norms_before)
      layer.mlp_norm = divided(norm(weight_name(index, LayerPart::mlp_norm), D), smoothing.gate_up);
    layer.gate_up = pack({part(index, LayerPart::gate), part(index, LayerPart::up)}, D, smoothing.gate_up);
    if (precision_ == Precision::int8) layer.down_rotation = rotation_block(config_.ffn);
    layer.down = pack({part(index, LayerPart::down)}, config_.ffn, {}, layer.down_rotation);
    if (config_.mlp_bias) {
      layer.gate_up_bias = joined({bias(index, LayerPart::gate), bias(index, LayerPart::up)});
      layer.down_bias = bias(index, LayerPart::down);
    }
    if (config_.norms_after) layer.mlp_output_norm = norm(weight_name(index, LayerPart::mlp_output_norm), D);
    return layer;
  }

  void add_attention(LayerWeights& layer, int index, const LayerSmoothing& smoothing) const {
    layer.qkv = qkv(index, smoothing);
    if (config_.qkv_bias)
      layer.qkv_bias = joined(
          {bias(index, LayerPart::q), bias(index, LayerPart::k), divided(bias(index, LayerPart::v), smoothing.o)});
    if (config_.qk_norm) {
      const bool whole = config_.qk_norm_whole;
      layer.q_norm = norm(weight_name(index, LayerPart::q_norm), whole ? config_.q_size() : config_.head_size);
      layer.k_norm = norm(weight_name(index, LayerPart::k_norm), whole ? config_.kv_size() : config_.head_size);
    }
    layer.o = o(index, smoothing);
    layer.o_smoothing = smoothing.o;
    if (config_.o_bias) layer.o_bias = bias(index, LayerPart::o);
    if (config_.norms_after) layer.output_norm = norm(weight_name(index, LayerPart::mixer_output_norm), config_.hidden);
  }

  std::vector<float> bias(int layer, LayerPart part) const {
    return vector(bias_name(layer, part), shape_of(config_, part).out);
  }

  /// The parts of a layer's attention that `change` changes.
  OwnProjections changed_projections(int index, const LayerSmoothing& smoothing) const {
    const auto changes = [&](LayerPart part) { return change_->changes(weight_name(index, part)); };
    OwnProjections own;
    if (changes(LayerPart::q) || changes(LayerPart::k) || changes(LayerPart::v)) own.qkv = qkv(index, smoothing);
    if (changes(LayerPart::o)) own.o = o(index, smoothing);
    return own;
  }

  PackedMatrix qkv(int index, const LayerSmoothing& smoothing) const {
    return pack({part(index, LayerPart::q), part(index, LayerPart::k), part(index, LayerPart::v, smoothing.o)},
                config_.hidden, smoothing.qkv);
  }

  PackedMatrix o(int index, const LayerSmoothing& smoothing) const {
    return pack({part(index, LayerPart::o)}, config_.q_size(), repeated_heads(smoothing.o));
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) const {
    std::vector<float> values(static_cast<std::size_t>(size));
    read_rows(checkpoint_.tensor(name, {size}), 0, 1, values.data());
    return values;
  }

  /// The weights that a norm multiplies by.
  std::vector<float> norm(const std::string& name, std::int64_t size) const {
    std::vector<float> values = vector(name, size);
    if (config_.norms_plus_one)
      for (float& value : values) value += 1;
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
  [[nodiscard]] Part part(int layer, LayerPart part, std::vector<float> row_factors = {}) const {
    return {weight_name(layer, part), shape_of(config_, part).out, std::move(row_factors)};
  }

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
  weights.plain_final_norm = loader.norm(final_norm_name, config.hidden);
  weights.final_norm = Loader::divided(weights.plain_final_norm, factors.head);
  for (float& weight : weights.final_norm) weight *= config.logit_scale;
  weights.head = loader.pack({{head_name(config), config.vocab, {}}}, config.hidden, factors.head);
  weights.embedding = checkpoint->tensor(embeddings_name, {config.vocab, config.hidden});
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
