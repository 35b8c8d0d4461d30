#include <cstring>

#include "heal/residual_backward.h"
#include "heal/student_mixer.h"
#include "heal/transposed.h"
#include "kernels/training_rows.h"
#include "mixer/attention_block.h"

namespace layerboost {
namespace {

const float* floats(const AlignedBuffer& buffer) { return reinterpret_cast<const float*>(buffer.data()); }

float* zeroed(AlignedBuffer& buffer, std::size_t count) {
  float* const data = buffer.reserve_as<float>(count);
  const auto size = static_cast<std::ptrdiff_t>(count);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < size; i += 4096)
    std::memset(data + i, 0, static_cast<std::size_t>(std::min<std::ptrdiff_t>(4096, size - i)) * sizeof(float));
  return data;
}

class AttentionStudent final : public StudentMixer {
 public:
  AttentionStudent(const Model& model, int layer, std::unique_ptr<MixerCore> core, std::size_t core_parameters,
                   const LoraSite& qkv, const LoraSite& o, const LoraOptions& options, StudentScratch& scratch,
                   std::span<const float> own_o)
      : model_(model),
        layer_(layer),
        weights_(model.weights.layers[static_cast<std::size_t>(layer)]),
        core_(std::move(core)),
        core_parameters_(core_parameters),
        own_o_(packed_o(model, own_o)),
        qkv_(weights_.qkv, transposed_matrix(model, layer, {LayerPart::q, LayerPart::k, LayerPart::v}), qkv, options),
        o_(own_o.empty() ? weights_.o : own_o_,
           own_o.empty() ? transposed_matrix(model, layer, {LayerPart::o})
                         : transposed_matrix(own_o, model.config.hidden, model.config.q_size(), model.precision),
           o, options),
        scratch_(scratch) {
    shape_ = qkv_shape(model.config, weights_, layer);
  }

  void assign(std::span<const float> parameters) override {
    qkv_.assign(parameters);
    o_.assign(parameters);
    const std::span<float> own = core_->parameters();
    std::copy_n(parameters.begin() + static_cast<std::ptrdiff_t>(core_parameters_), own.size(), own.begin());
  }

  [[nodiscard]] std::size_t saved_bytes(const CoreBatch& batch) const override {
    const Config& config = model_.config;
    std::size_t floats_per_row = static_cast<std::size_t>(config.hidden + 2 * config.q_size() + 2 * config.kv_size());
    if (config.qk_norm) floats_per_row += static_cast<std::size_t>(config.q_size() + 2 * config.kv_size());
    if (!weights_.output_norm.empty()) floats_per_row += static_cast<std::size_t>(config.hidden);
    if (core_->needs_plain())
      floats_per_row += static_cast<std::size_t>(config.hidden + config.q_size() + config.kv_size());
    const std::size_t kept =
        kept_bytes(qkv_, batch.rows(), model_.precision) + kept_bytes(o_, batch.rows(), model_.precision);
    return static_cast<std::size_t>(batch.rows()) * floats_per_row * sizeof(float) + kept +
           core_->saved_floats(batch) * sizeof(float);
  }

  void forward(float* hidden, const CoreBatch& batch, MixerSaved& saved) const override {
    const auto N = static_cast<std::size_t>(batch.rows());
    reserve(N, saved);
    project(hidden, batch, saved);
    float* const out = saved.out.reserve_as<float>(N * static_cast<std::size_t>(model_.config.q_size()));
    float* const kept = saved.core.reserve_as<float>(std::max<std::size_t>(core_->saved_floats(batch), 1));
    {
      const Profile::Scope time(scratch_.profile, Phase::mixer_forward);
      core_->forward(inputs_of(batch, saved), out, kept, scratch_.kernels);
    }
    add_output(hidden, batch.rows(), saved);
  }

  void backward(const MixerSaved& saved, float* d_hidden, const CoreBatch& batch, bool inputs,
                std::span<float> gradients) const override {
    const float* const d_out = output_backward(saved, d_hidden, batch.rows(), gradients);
    const CoreGradients d = core_backward(saved, batch, d_out, gradients);
    project_backward(saved, d, d_hidden, batch.rows(), inputs, gradients);
  }

  double match(const float* hidden, const CoreBatch& batch, const MixerCore& teacher, MixerSaved& saved,
               std::span<float> gradients) const override {
    const std::size_t size = static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(model_.config.q_size());
    reserve(static_cast<std::size_t>(batch.rows()), saved);
    project(hidden, batch, saved);
    // The teacher's output becomes the gradient of the distance in place.
    float* const d_out = scratch_.d_out.reserve_as<float>(size);
    float* const out = saved.out.reserve_as<float>(size);
    const std::size_t kept = std::max({core_->saved_floats(batch), teacher.saved_floats(batch), std::size_t{1}});
    float* const core = saved.core.reserve_as<float>(kept);
    {
      const Profile::Scope time(scratch_.profile, Phase::mixer_forward);
      teacher.forward(inputs_of(batch, saved), d_out, core, scratch_.kernels);
      core_->forward(inputs_of(batch, saved), out, core, scratch_.kernels);
    }
    double distance = 0, whole = 0;
    for (std::size_t i = 0; i < size; ++i) {
      distance += static_cast<double>(out[i] - d_out[i]) * static_cast<double>(out[i] - d_out[i]);
      whole += static_cast<double>(d_out[i]) * static_cast<double>(d_out[i]);
    }
    const auto factor = static_cast<float>(2 / whole);
    for (std::size_t i = 0; i < size; ++i) d_out[i] = factor * (out[i] - d_out[i]);
    core_backward(saved, batch, d_out, gradients);
    return distance / whole;
  }

 private:
  static PackedMatrix packed_o(const Model& model, std::span<const float> o) {
    if (o.empty()) return {};
    const std::int64_t in = model.config.q_size();
    return {model.config.hidden, in, model.precision, [&](std::int64_t first, std::int64_t count, float* rows) {
              std::copy_n(o.begin() + first * in, count * in, rows);
            }};
  }

  /// The core's gradients, in the scratch memory.
  CoreGradients core_backward(const MixerSaved& saved, const CoreBatch& batch, const float* d_out,
                              std::span<float> gradients) const {
    const Config& config = model_.config;
    const auto N = static_cast<std::size_t>(batch.rows());
    const auto q_size = static_cast<std::size_t>(config.q_size()), kv_size = static_cast<std::size_t>(config.kv_size());
    CoreGradients d;
    {
      const Profile::Scope time(scratch_.profile, Phase::rows);
      d.q = zeroed(scratch_.dq, N * q_size);
      d.k = zeroed(scratch_.dk, N * kv_size);
      d.v = zeroed(scratch_.dv, N * kv_size);
      if (core_->needs_plain()) {
        d.x = zeroed(scratch_.dx, N * static_cast<std::size_t>(config.hidden));
        d.q_plain = zeroed(scratch_.dq_plain, N * q_size);
        d.k_plain = zeroed(scratch_.dk_plain, N * kv_size);
      }
    }
    const Profile::Scope time(scratch_.profile, Phase::mixer_backward);
    core_->backward(inputs_of(batch, saved), floats(saved.out), floats(saved.core), d_out, d,
                    gradients.subspan(core_parameters_, core_->parameters().size()), scratch_.kernels);
    return d;
  }

  void reserve(std::size_t N, MixerSaved& saved) const {
    const Config& config = model_.config;
    const auto D = static_cast<std::size_t>(config.hidden), q = static_cast<std::size_t>(config.q_size()),
               kv = static_cast<std::size_t>(config.kv_size());
    saved.hidden.reserve_as<float>(N * D);
    saved.q.reserve_as<float>(N * q);
    saved.k.reserve_as<float>(N * kv);
    saved.v.reserve_as<float>(N * kv);
    if (config.qk_norm) saved.product.reserve_as<float>((N + spare_rows) * (q + 2 * kv));
    if (core_->needs_plain()) {
      saved.x.reserve_as<float>(N * D);
      saved.q_plain.reserve_as<float>(N * q);
      saved.k_plain.reserve_as<float>(N * kv);
    }
    if (!weights_.output_norm.empty()) saved.output.reserve_as<float>(N * D);
    saved.t_qkv.reserve(kept_bytes(qkv_, static_cast<std::ptrdiff_t>(N), model_.precision));
    saved.t_o.reserve(kept_bytes(o_, static_cast<std::ptrdiff_t>(N), model_.precision));
  }

  [[nodiscard]] CoreInputs inputs_of(const CoreBatch& batch, const MixerSaved& saved) const {
    return {batch,           floats(saved.x), floats(saved.q_plain), floats(saved.k_plain),
            floats(saved.q), floats(saved.k), floats(saved.v)};
  }

  /// nullptr where the layer has no RoPE.
  [[nodiscard]] const RopeTable* rope(const RopeTable& table) const {
    return model_.config.has_rope(layer_) ? &table : nullptr;
  }

  [[nodiscard]] float* tile_product() const {
    const int width = std::max(model_.config.q_size() + 2 * model_.config.kv_size(), model_.config.hidden);
    return scratch_.product.reserve_product(tile_rows, width);
  }

  /// Norm, projections, RoPE.
  void project(const float* hidden, const CoreBatch& batch, MixerSaved& saved) const {
    const Config& config = model_.config;
    const int D = config.hidden, q_size = config.q_size(), kv_size = config.kv_size(), width = q_size + 2 * kv_size;
    float* const product = tile_product();
    const auto at = [](AlignedBuffer& buffer, std::ptrdiff_t row, int cols) {
      return reinterpret_cast<float*>(buffer.data()) + row * cols;
    };
    Profile& profile = scratch_.profile;
    for_each_tile(batch.rows(), [&](std::ptrdiff_t row, int count) {
      const auto rows = static_cast<std::size_t>(count);
      {
        const Profile::Scope time(profile, Phase::rows);
        std::memcpy(at(saved.hidden, row, D), hidden + row * D, rows * static_cast<std::size_t>(D) * sizeof(float));
        norm(hidden + row * D, count);
        if (core_->needs_plain()) {
          scratch_.normed_f32.reshape(count, D, Precision::f32);
          take_rows(hidden + row * D, {}, weights_.mixer_norm, config, scratch_.normed_f32, scratch_.kernels);
          std::memcpy(at(saved.x, row, D), scratch_.normed_f32.f32(0),
                      rows * static_cast<std::size_t>(D) * sizeof(float));
        }
      }
      void* const t = kept_tile(saved.t_qkv, qkv_, row, model_.precision);
      const Product qkv = qkv_.forward(scratch_.normed, product, t, profile, scratch_.kernels);
      const Profile::Scope time(profile, Phase::rows);
      if (config.qk_norm)
        std::memcpy(at(saved.product, row, width), product, rows * static_cast<std::size_t>(width) * sizeof(float));
      const int* const positions = scratch_.positions.data() + row;
      float* const v = at(saved.v, row, kv_size);
      if (core_->needs_plain())
        split_qkv(qkv, shape_, nullptr, nullptr, at(saved.q_plain, row, q_size), at(saved.k_plain, row, kv_size), v,
                  scratch_.kernels);
      split_qkv(qkv, shape_, rope(scratch_.rope), positions, at(saved.q, row, q_size), at(saved.k, row, kv_size), v,
                scratch_.kernels);
    });
  }

  void norm(const float* tile, int count) const {
    scratch_.normed.reshape(count, model_.config.hidden, model_.precision);
    take_rows(tile, {}, weights_.mixer_norm, model_.config, scratch_.normed, scratch_.kernels);
  }

  void add_output(float* hidden, std::ptrdiff_t all_rows, MixerSaved& saved) const {
    const int D = model_.config.hidden, q_size = model_.config.q_size();
    float* const product = tile_product();
    for_each_tile(all_rows, [&](std::ptrdiff_t row, int count) {
      {
        const Profile::Scope time(scratch_.profile, Phase::rows);
        scratch_.mixed.reshape(count, q_size, model_.precision);
        pack_activations(floats(saved.out) + row * q_size, scratch_.mixed);
      }
      void* const t = kept_tile(saved.t_o, o_, row, model_.precision);
      Product output = o_.forward(scratch_.mixed, product, t, scratch_.profile, scratch_.kernels);
      const Profile::Scope time(scratch_.profile, Phase::rows);
      if (!weights_.o_bias.empty()) output = add_bias(output, weights_.o_bias.data(), product);
      if (!weights_.output_norm.empty())
        std::memcpy(reinterpret_cast<float*>(saved.output.data()) + row * D, output.data,
                    static_cast<std::size_t>(count) * static_cast<std::size_t>(D) * sizeof(float));
      layerboost::add_output(hidden + row * D, {}, output, weights_.output_norm, model_.config, scratch_.kernels);
    });
  }

  /// Returns the gradient of the core's output, [N, H, d].
  const float* output_backward(const MixerSaved& saved, const float* d_hidden, std::ptrdiff_t all_rows,
                               std::span<float> gradients) const {
    const int D = model_.config.hidden, q_size = model_.config.q_size();
    float* const d_out = scratch_.d_out.reserve_product(all_rows, q_size);
    for_each_tile(all_rows, [&](std::ptrdiff_t row, int count) {
      {
        const Profile::Scope time(scratch_.profile, Phase::rows);
        scratch_.dy.reshape(count, D, model_.precision);
        scratch_.mixed.reshape(count, q_size, model_.precision);
        add_output_backward(row_of(saved.output, row, D), weights_.output_norm, model_.config, d_hidden + row * D,
                            scratch_.dy, scratch_.kernels);
        pack_activations(floats(saved.out) + row * q_size, scratch_.mixed);
      }
      o_.input_gradient(scratch_.dy, d_out + row * q_size, scratch_.d_kept, scratch_.profile, scratch_.kernels);
      const void* const t = kept_tile(saved.t_o, o_, row, model_.precision);
      o_.pair_gradients(scratch_.dy, scratch_.mixed, t, scratch_.d_kept, gradients, scratch_.profile, scratch_.kernels);
    });
    return d_out;
  }

  void project_backward(const MixerSaved& saved, const CoreGradients& d, float* d_hidden, std::ptrdiff_t all_rows,
                        bool inputs, std::span<float> gradients) const {
    const Config& config = model_.config;
    const int D = config.hidden, q_size = config.q_size(), kv_size = config.kv_size(), width = q_size + 2 * kv_size;
    float* const product = tile_product();
    const auto at = [](float* data, std::ptrdiff_t row, int cols) {
      return data == nullptr ? nullptr : data + row * cols;
    };
    for_each_tile(all_rows, [&](std::ptrdiff_t row, int count) {
      const float* const hidden = floats(saved.hidden) + row * D;
      {
        const Profile::Scope time(scratch_.profile, Phase::rows);
        scratch_.d_wide.reshape(count, width, model_.precision);
        split_qkv_backward(row_of(saved.product, row, width), shape_, rope(scratch_.rope_back),
                           scratch_.positions.data() + row, at(d.q, row, q_size), at(d.k, row, kv_size),
                           at(d.v, row, kv_size), at(d.q_plain, row, q_size), at(d.k_plain, row, kv_size),
                           scratch_.d_wide, scratch_.kernels);
        norm(hidden, count);
      }
      if (inputs) qkv_.input_gradient(scratch_.d_wide, product, scratch_.d_kept, scratch_.profile, scratch_.kernels);
      const void* const t = kept_tile(saved.t_qkv, qkv_, row, model_.precision);
      qkv_.pair_gradients(scratch_.d_wide, scratch_.normed, t, scratch_.d_kept, gradients, scratch_.profile,
                          scratch_.kernels, !inputs);
      if (!inputs) return;
      const Profile::Scope time(scratch_.profile, Phase::rows);
      if (d.x != nullptr) add_rows(product, {}, {d.x + row * D, nullptr, count, D});
      take_rows_backward(hidden, weights_.mixer_norm, config, product, count, d_hidden + row * D);
    });
  }

  const Model& model_;
  int layer_;
  const LayerWeights& weights_;
  std::unique_ptr<MixerCore> core_;
  std::size_t core_parameters_;
  QkvShape shape_;
  PackedMatrix own_o_;
  LoraProduct qkv_, o_;
  StudentScratch& scratch_;
};

}  // namespace

std::unique_ptr<StudentMixer> make_attention_student(const Model& model, int layer, std::unique_ptr<MixerCore> core,
                                                     std::size_t core_parameters, const LoraSite& qkv,
                                                     const LoraSite& o, const LoraOptions& options,
                                                     StudentScratch& scratch, std::span<const float> own_o) {
  return std::make_unique<AttentionStudent>(model, layer, std::move(core), core_parameters, qkv, o, options, scratch,
                                            own_o);
}

}  // namespace layerboost
