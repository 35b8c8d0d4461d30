#include <cstring>

#include "heal/residual_backward.h"
#include "heal/student_mixer.h"
#include "heal/transposed.h"

namespace layerboost {
namespace {

class MapStudent final : public StudentMixer {
 public:
  MapStudent(const Model& model, int layer, std::span<const float> map, StudentScratch& scratch)
      : model_(model),
        norm_(model.weights.layers[static_cast<std::size_t>(layer)].mixer_norm),
        bias_(map.last(static_cast<std::size_t>(model.config.hidden)).begin(), map.end()),
        transposed_(transposed_matrix(map.first(map.size() - bias_.size()), model.config.hidden, model.config.hidden,
                                      model.precision)),
        scratch_(scratch) {
    const int D = model.config.hidden;
    matrix_ = PackedMatrix(D, D, model.precision, [&](std::int64_t first, std::int64_t count, float* rows) {
      std::copy_n(map.data() + first * D, count * D, rows);
    });
  }

  void assign(std::span<const float> /*parameters*/) override {}

  [[nodiscard]] std::size_t saved_bytes(const CoreBatch& batch) const override {
    return static_cast<std::size_t>(batch.rows() * model_.config.hidden) * sizeof(float);
  }

  void forward(float* hidden, const CoreBatch& batch, MixerSaved& saved) const override {
    const int D = model_.config.hidden;
    const std::ptrdiff_t rows = batch.rows();
    float* const kept = saved.hidden.reserve_as<float>(static_cast<std::size_t>(rows * D));
    std::memcpy(kept, hidden, static_cast<std::size_t>(rows * D) * sizeof(float));
    float* const product = tile_product();
    for_each_tile(rows, [&](std::ptrdiff_t row, int count) {
      scratch_.normed.reshape(count, D, model_.precision);
      take_rows(hidden + row * D, {}, norm_, model_.config, scratch_.normed, scratch_.kernels);
      const Profile::Scope time(scratch_.profile, Phase::forward_products);
      const Product mapped = matrix_.multiply(scratch_.normed, product, scratch_.kernels);
      add_rows(hidden + row * D, {}, add_bias(mapped, bias_.data(), product));
    });
  }

  void backward(const MixerSaved& saved, float* d_hidden, const CoreBatch& batch, bool inputs,
                std::span<float> /*gradients*/) const override {
    if (!inputs) return;
    const int D = model_.config.hidden;
    const float* const hidden = reinterpret_cast<const float*>(saved.hidden.data());
    float* const product = tile_product();
    for_each_tile(batch.rows(), [&](std::ptrdiff_t row, int count) {
      scratch_.dy.reshape(count, D, model_.precision);
      pack_activations(d_hidden + row * D, scratch_.dy);
      const Profile::Scope time(scratch_.profile, Phase::backward_products);
      transposed_.multiply(scratch_.dy, product, scratch_.kernels);
      take_rows_backward(hidden + row * D, norm_, model_.config, product, count, d_hidden + row * D);
    });
  }

  double match(const float* /*hidden*/, const CoreBatch& /*batch*/, const MixerCore& /*teacher*/, MixerSaved& /*saved*/,
               std::span<float> /*gradients*/) const override {
    return 0;
  }

 private:
  [[nodiscard]] float* tile_product() const {
    return scratch_.product.reserve_product(tile_rows, model_.config.hidden);
  }

  const Model& model_;
  const std::vector<float>& norm_;
  std::vector<float> bias_;
  PackedMatrix matrix_, transposed_;  // [D, D]
  StudentScratch& scratch_;
};

}  // namespace

std::unique_ptr<StudentMixer> make_map_student(const Model& model, int layer, std::span<const float> map,
                                               StudentScratch& scratch) {
  return std::make_unique<MapStudent>(model, layer, map, scratch);
}

}  // namespace layerboost
