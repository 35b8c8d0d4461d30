#include "heal/layer_stage.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "kernels/gram.h"
#include "kernels/training_rows.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

std::vector<float> weight_of(const Model& model, int layer, LayerPart part) {
  const MatrixShape shape = shape_of(model.config, part);
  std::vector<float> matrix(static_cast<std::size_t>(shape.out * shape.in));
  read_rows(model.weights.checkpoint->tensor(weight_name(layer, part), {shape.out, shape.in}), 0, shape.out,
            matrix.data());
  return matrix;
}

/// The qkv and the o site of the layer, the only ones: flat parameters begin with them.
std::vector<LoraSite> sites_of(const Config& config, int layer, const MixerSpec& spec, int rank) {
  std::vector<MixerSpec> specs(static_cast<std::size_t>(config.layers), spec);
  std::vector<LoraSite> sites = lora_sites(config, specs, layer, rank);
  sites.resize(2);
  return sites;
}

}  // namespace

void check_layers_can_learn(const Config& config) {
  if (config.norms_after)
    fail("layers can't learn one by one in this model: a norm follows what their attention puts out");
}

LayerStage::LayerStage(const Model& model, int layer, const MixerSpec& spec, const StageOptions& options)
    : LayerStage(model, layer, spec, options, State{}) {}

LayerStage::LayerStage(const Model& model, int layer, const MixerSpec& spec, const StageOptions& options, State state)
    : model_(model),
      layer_(layer),
      spec_(spec),
      options_(options),
      sites_(sites_of(model.config, layer, spec, options.lora.rank)),
      state_(std::move(state)),
      scratch_(model) {
  check_layers_can_learn(model.config);
  const std::size_t pairs = lora_size(sites_, options.lora.rank);
  if (state_.x.empty()) {
    state_.x.resize(pairs);
    initialize_lora(sites_, options.lora.rank, options.seed, state_.x);
    const std::vector<float> own = initial_parameters(model.config, spec);
    state_.x.insert(state_.x.end(), own.begin(), own.end());
    state_.o = weight_of(model, layer, LayerPart::o);
  }
  state_.m.resize(state_.x.size());
  state_.v.resize(state_.x.size());
  LB_CHECK(state_.x.size() == pairs + parameter_count(model.config, spec));
  gradients_.assign(state_.x.size(), 0);
  const auto out = static_cast<std::size_t>(model.config.q_size()), D = static_cast<std::size_t>(model.config.hidden);
  moments_.assign(out * out, 0);
  products_.assign(out * D, 0);
  state_.moments.resize(moments_.size());
  state_.products.resize(products_.size());
  make_student();
}

LayerStage::~LayerStage() = default;

void LayerStage::make_student() {
  const std::size_t pairs = lora_size(sites_, options_.lora.rank);
  student_ = make_attention_student(model_, layer_, make_core(model_, layer_, spec_), pairs, sites_[0], sites_[1],
                                    options_.lora, scratch_, state_.o);
  student_->assign(state_.x);
}

double LayerStage::run(const float* hidden, const float* target, const CoreBatch& batch) {
  const auto count = static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(model_.config.hidden);
  float* const own = hidden_.reserve_as<float>(count);
  std::copy_n(hidden, count, own);
  scratch_.prepare(batch);
  student_->forward(own, batch, saved_);
  double distance = 0, size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    own[i] -= hidden[i] + target[i];
    distance += static_cast<double>(own[i]) * static_cast<double>(own[i]);
    size += static_cast<double>(target[i]) * static_cast<double>(target[i]);
  }
  const auto factor = static_cast<float>(2 / size);
  for (std::size_t i = 0; i < count; ++i) own[i] *= factor;  // the distance's gradient
  return distance / size;
}

double LayerStage::distance(const float* hidden, const float* target, const CoreBatch& batch) {
  return run(hidden, target, batch);
}

double LayerStage::learn(const float* hidden, const float* target, const CoreBatch& batch) {
  const double distance = run(hidden, target, batch);
  add_moments(target, batch);
  student_->backward(saved_, reinterpret_cast<float*>(hidden_.data()), batch, false, gradients_);
  ++batches_;
  return distance;
}

void LayerStage::update(double rate) {
  // Keys and values stay the model's, and Wo is fitted.
  const auto stays = [&](const LoraPart& pair) {
    std::fill_n(gradients_.begin() + static_cast<std::ptrdiff_t>(pair.b), options_.lora.rank * pair.out, 0.0F);
  };
  stays(sites_[0].parts[1]);
  stays(sites_[0].parts[2]);
  stays(sites_[1].parts[0]);
  const double norm = norm_of(gradients_) / batches_;
  AdamOptions adam;
  adam.step = ++state_.step;
  adam.rate = rate;
  adam.beta1 = options_.beta1;
  adam.beta2 = options_.beta2;
  adam.epsilon = options_.epsilon;
  adam.gradient_factor = (options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1) / batches_;
  adam_step(adam, gradients_, state_.x, state_.m, state_.v);
  std::fill(gradients_.begin(), gradients_.end(), 0.0F);
  batches_ = 0;
  fit();
}

void LayerStage::gather(const float* hidden, const float* target, const CoreBatch& batch) {
  (void)run(hidden, target, batch);
  add_moments(target, batch);
}

/// Adds the moments of the batch that was run last.
void LayerStage::add_moments(const float* target, const CoreBatch& batch) {
  const Config& config = model_.config;
  const int n = static_cast<int>(batch.rows()), out = config.q_size(), D = config.hidden;
  std::vector<float> moments(moments_.size()), products(products_.size()),
      wanted(target, target + std::ptrdiff_t{n} * D);
  const std::vector<float>& bias = model_.weights.layers[static_cast<std::size_t>(layer_)].o_bias;
  // What Wo is to put out, before its bias and the factor of the residual stream.
  for (float& value : wanted) value /= config.residual_scale;
  for (std::size_t i = 0; !bias.empty() && i < wanted.size(); ++i) wanted[i] -= bias[i % static_cast<std::size_t>(D)];
  const auto* const rows = reinterpret_cast<const float*>(saved_.out.data());
  add_gram(rows, rows, n, out, out, moments.data());
  add_gram(rows, wanted.data(), n, out, D, products.data());
  for (std::size_t i = 0; i < moments.size(); ++i) moments_[i] += static_cast<double>(moments[i]);
  for (std::size_t i = 0; i < products.size(); ++i) products_[i] += static_cast<double>(products[i]);
}

void LayerStage::fit() {
  const int out = model_.config.q_size(), D = model_.config.hidden;
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto add_kept = [](const std::vector<float>& kept, std::vector<double>& sums) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(kept[i]);
  };
  add_kept(state_.moments, moments_);
  add_kept(state_.products, products_);
  const Eigen::Map<const Matrix> moments(moments_.data(), out, out);
  const Eigen::Map<const Matrix> products(products_.data(), out, D);
  LB_CHECK(moments.trace() > 0);
  Matrix regular = moments;
  regular.diagonal().array() += std::max(options_.ridge * moments.trace() / out, 1e-12);
  const Matrix weight = regular.llt().solve(products).transpose();  // [D, H d]
  std::copy_n(weight.data(), weight.size(), state_.o.begin());
  const auto keep = [this](std::vector<double>& sums, std::vector<float>& kept) {
    for (std::size_t i = 0; i < sums.size(); ++i)
      kept[i] = static_cast<float>(options_.keeps * std::exchange(sums[i], 0.0));
  };
  keep(moments_, state_.moments);
  keep(products_, state_.products);
  make_student();
}

LearntLayer LayerStage::learnt() const {
  LearntLayer learnt;
  learnt.mixer = spec_;
  const auto pairs = static_cast<std::ptrdiff_t>(lora_size(sites_, options_.lora.rank));
  learnt.parameters.assign(state_.x.begin() + pairs, state_.x.end());
  learnt.q = weight_of(model_, layer_, LayerPart::q);
  learnt.o = state_.o;
  const int rank = options_.lora.rank;
  const auto factor = static_cast<float>(options_.lora.alpha / std::max(rank, 1));
  const LoraSite& site = sites_[0];
  const LoraPart& pair = site.parts.front();  // whose A is the first
  for (int row = 0; row < pair.out; ++row)
    for (int r = 0; r < rank; ++r) {
      const float weight = factor * state_.x[pair.b + static_cast<std::size_t>(r * pair.out + row)];
      for (int j = 0; j < site.in; ++j)
        learnt.q[static_cast<std::size_t>(row * site.in + j)] +=
            weight * state_.x[site.a + static_cast<std::size_t>(r * site.in + j)];
    }
  return learnt;
}

}  // namespace layerboost
