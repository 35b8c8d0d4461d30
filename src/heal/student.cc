#include "heal/student.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/attention_training.h"
#include "mixer/descriptor.h"

namespace layerboost {

void check_sizes_for_healing(const Config& config) {
  for (const int size : {config.hidden, config.ffn, config.q_size(), config.kv_size()})
    if (size % 16 != 0) fail("healing needs layers whose sizes are multiples of 16; this model has {}", size);
  if (config.head_size > most_trained_head_size)
    fail("healing, and gradients, need heads of at most {} numbers; this model's have {}", most_trained_head_size,
         config.head_size);
}

std::size_t activation_bytes(const Config& config, std::ptrdiff_t rows) {
  const auto D = static_cast<std::size_t>(config.hidden), F = static_cast<std::size_t>(config.ffn);
  const auto Q = static_cast<std::size_t>(config.q_size()), K = static_cast<std::size_t>(config.kv_size());
  const std::size_t numbers_of_row = 3 * D + 2 * Q + 2 * K + 2 * F;
  return static_cast<std::size_t>(config.layers) * static_cast<std::size_t>(rows) * numbers_of_row * sizeof(float);
}

int lowest_changed(const Config& config, std::span<const MixerSpec> specs) {
  const std::vector<MixerSpec> native = native_specs(config);
  int layer = 0;
  while (layer < config.layers && native[static_cast<std::size_t>(layer)] == specs[static_cast<std::size_t>(layer)])
    ++layer;
  return layer;
}

Student::Student(const Model& model, const std::vector<MixerSpec>& specs, const MixerParameters& parameters,
                 const LoraOptions& options, std::size_t memory, std::optional<int> lowest)
    : model_(model),
      memory_(memory),
      scratch_(model),
      lowest_(lowest.value_or(lowest_changed(model.config, specs))),
      sites_(lora_sites(model.config, specs, lowest_, options.rank)),
      lora_count_(lora_size(sites_, options.rank)),
      options_(options) {
  if (model.precision == Precision::int8) fail("healing computes in bf16 or f32: give `precision` bf16");
  check_sizes_for_healing(model.config);
  parameter_count_ = lora_count_;
  auto site = sites_.begin();
  for (int layer = lowest_; layer < model.config.layers; ++layer) {
    const MixerSpec& spec = specs[static_cast<std::size_t>(layer)];
    const MixerDescriptor& kind = descriptor_of(spec.kind);
    if (kind.make_core != nullptr) {
      std::unique_ptr<MixerCore> core = make_core(model, layer, spec, parameters);
      const std::span<const float> own = core->parameters();
      const std::size_t first = parameter_count_;
      if (!own.empty()) cores_.push_back({layer, spec.kind, first, own.size()});
      initial_cores_.insert(initial_cores_.end(), own.begin(), own.end());
      parameter_count_ += own.size();
      mixers_.push_back(
          make_attention_student(model, layer, std::move(core), first, site[0], site[1], options, scratch_));
      site += 2;
    } else if (kind.fitted_map) {
      mixers_.push_back(
          make_map_student(model, layer, parameters_for(model.config, layer, spec, parameters), scratch_));
    } else {
      LB_CHECK(removes_attention(spec.kind));
      mixers_.push_back(nullptr);
    }
    mlps_.push_back(std::make_unique<StudentMlp>(model, layer, site[0], site[1], options, scratch_));
    site += 2;
  }
  saved_.resize(mixers_.size());
}

void Student::initialize(std::uint64_t seed, std::span<float> parameters) const {
  LB_CHECK(parameters.size() == parameter_count_);
  initialize_lora(sites_, options_.rank, seed, parameters);
  std::copy(initial_cores_.begin(), initial_cores_.end(),
            parameters.begin() + static_cast<std::ptrdiff_t>(lora_count_));
}

void Student::assign(std::span<const float> parameters) {
  LB_CHECK(parameters.size() == parameter_count_);
#pragma omp parallel for schedule(dynamic) if (parameter_count_ > (1 << 16))
  for (std::ptrdiff_t i = 0; i < std::ssize(mlps_); ++i) {
    const auto layer = static_cast<std::size_t>(i);
    if (mixers_[layer]) mixers_[layer]->assign(parameters);
    mlps_[layer]->assign(parameters);
  }
}

double Student::match(const CoreSlot& core, const CoreBatch& batch, const float* hidden, const MixerCore& teacher,
                      std::span<float> gradients) {
  scratch_.prepare(batch);
  const auto& mixer = mixers_[static_cast<std::size_t>(core.layer - lowest_)];
  return mixer->match(hidden, batch, teacher, again_.mixer, gradients);
}

MixerParameters Student::mixer_parameters(std::span<const float> parameters) const {
  MixerParameters result;
  for (const CoreSlot& core : cores_) {
    const auto own = parameters.subspan(core.first, core.count);
    result[{core.layer, core.kind}].assign(own.begin(), own.end());
  }
  return result;
}

int Student::recomputed_layers(const CoreBatch& batch) const {
  const auto layer_bytes = [&](std::size_t i) {
    return mlps_[i]->saved_bytes(batch.rows()) + (mixers_[i] ? mixers_[i]->saved_bytes(batch) : 0);
  };
  std::size_t total = 0, largest = 0;
  for (std::size_t i = 0; i < mlps_.size(); ++i) {
    total += layer_bytes(i);
    largest = std::max(largest, layer_bytes(i));
  }
  if (total <= memory_) return 0;
  // One layer's activations for what is computed again, and its input.
  total += largest;
  const std::size_t input = static_cast<std::size_t>(batch.rows() * model_.config.hidden) * sizeof(float);
  std::size_t again = 0;
  for (; again < mlps_.size() && total > memory_; ++again) total -= layer_bytes(again) - input;
  return static_cast<int>(again);
}

void Student::forward_layer(std::size_t i, const CoreBatch& batch, float* hidden, Saved& saved) const {
  if (mixers_[i]) mixers_[i]->forward(hidden, batch, saved.mixer);
  mlps_[i]->forward(hidden, batch.rows(), saved.mlp);
}

void Student::forward(const CoreBatch& batch, float* hidden, bool keep, const AtLayer& at_layer) {
  scratch_.prepare(batch);
  batch_ = batch;
  recomputed_ = keep ? recomputed_layers(batch) : static_cast<int>(mlps_.size());
  const auto size = static_cast<std::size_t>(batch.rows() * model_.config.hidden);
  for (std::size_t i = 0; i < mlps_.size(); ++i) {
    if (at_layer) at_layer(lowest_ + static_cast<int>(i), hidden);
    const bool again = i < static_cast<std::size_t>(recomputed_);
    if (keep && again) std::memcpy(saved_[i].hidden.reserve_as<float>(size), hidden, size * sizeof(float));
    forward_layer(i, batch, hidden, again ? again_ : saved_[i]);
  }
}

void Student::backward(float* d_hidden, std::span<float> gradients, const AtOutput& at_output,
                       const AtLayer& at_mixer) {
  LB_CHECK(gradients.size() == parameter_count_);
  const auto size = static_cast<std::size_t>(batch_.rows() * model_.config.hidden);
  AlignedBuffer work;
  const auto input_of = [&](std::size_t i) -> const float* {
    if (i < static_cast<std::size_t>(recomputed_)) return reinterpret_cast<const float*>(saved_[i].hidden.data());
    const AlignedBuffer& first = mixers_[i] ? saved_[i].mixer.hidden : saved_[i].mlp.hidden;
    return reinterpret_cast<const float*>(first.data());
  };
  for (std::size_t i = mlps_.size(); i-- > 0;) {
    if (at_output && i + 1 < mlps_.size()) at_output(lowest_ + static_cast<int>(i), input_of(i + 1), d_hidden);
    const bool again = i < static_cast<std::size_t>(recomputed_);
    if (again) {
      float* const hidden = work.reserve_as<float>(size);
      std::memcpy(hidden, saved_[i].hidden.data(), size * sizeof(float));
      forward_layer(i, batch_, hidden, again_);
    }
    const Saved& saved = again ? again_ : saved_[i];
    mlps_[i]->backward(saved.mlp, d_hidden, batch_.rows(), gradients);
    if (at_mixer) at_mixer(lowest_ + static_cast<int>(i), d_hidden);
    if (mixers_[i]) mixers_[i]->backward(saved.mixer, d_hidden, batch_, i > 0, gradients);
  }
}

}  // namespace layerboost
