#include "heal/distiller.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace layerboost {

LossSums& LossSums::operator+=(const LossSums& other) {
  kl += other.kl;
  hidden += other.hidden;
  match += other.match;
  nll += other.nll;
  teacher_nll += other.teacher_nll;
  tokens += other.tokens;
  targets += other.targets;
  return *this;
}

double LossSums::loss(const LossWeights& weights) const {
  return (weights.kl * kl + weights.ce * nll + weights.hidden * hidden) / static_cast<double>(tokens);
}

Distiller::Distiller(const Model& model, Student& student, const LossWeights& weights)
    : model_(model),
      student_(student),
      weights_(weights),
      mixers_(model),
      native_(mixers_.list(native_specs(model.config))),
      runner_(model),
      head_(model) {
  const std::vector<MixerSpec> native = native_specs(model.config);
  for (const CoreSlot& core : student.cores())
    native_cores_.push_back(make_core(model, core.layer, native[static_cast<std::size_t>(core.layer)]));
}

/// Fresh sequences, and the embeddings in hidden_.
void Distiller::begin(std::span<const TokenId> tokens, const CoreBatch& batch) {
  LB_CHECK(std::ssize(tokens) == batch.rows());
  const auto length = static_cast<std::size_t>(batch.length);
  sequences_.clear();
  items_.clear();
  for (int i = 0; i < batch.sequences; ++i) sequences_.emplace_back(native_, pools_);
  for (std::size_t i = 0; i < sequences_.size(); ++i)
    items_.push_back({&sequences_[i], tokens.subspan(i * length, length)});
  runner_.embed(tokens, hidden_.reserve_as<float>(tokens.size() * static_cast<std::size_t>(model_.config.hidden)));
}

/// The input of the lowest changed layer, in hidden_.
float* Distiller::run_below(std::span<const TokenId> tokens, const CoreBatch& batch) {
  const Profile::Scope time(student_.profile(), Phase::below);
  begin(tokens, batch);
  auto* const hidden = reinterpret_cast<float*>(hidden_.data());
  runner_.run_layers(items_, hidden, 0, student_.lowest());
  return hidden;
}

double Distiller::match(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<float> gradients) {
  begin(tokens, batch);
  auto* const hidden = reinterpret_cast<float*>(hidden_.data());
  const auto cores = student_.cores();
  match_gradients_.assign(gradients.size(), 0);
  double total = 0;
  int layer = 0;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    runner_.run_layers(items_, hidden, layer, cores[i].layer);
    layer = cores[i].layer;
    total += student_.match(cores[i], batch, hidden, *native_cores_[i], match_gradients_);
  }
  const double weight = static_cast<double>(batch.rows()) / static_cast<double>(cores.size());
  for (std::size_t i = student_.first_core_parameter(); i < gradients.size(); ++i)
    gradients[i] += static_cast<float>(weight) * match_gradients_[i];
  return weight * total;
}

const float* Distiller::run_teacher(const CoreBatch& batch, bool keep_layers) {
  const std::size_t size = static_cast<std::size_t>(batch.rows() * model_.config.hidden);
  float* const hidden = teacher_hidden_.reserve_as<float>(size);
  const Profile::Scope time(student_.profile(), Phase::teacher);
  std::memcpy(hidden, hidden_.data(), size * sizeof(float));
  const int first = student_.lowest(), last = model_.config.layers;
  if (!keep_layers) {
    runner_.run_layers(items_, hidden, first, last);
    return hidden;
  }
  teacher_layers_.resize(static_cast<std::size_t>(last - first));
  for (int layer = first; layer < last; ++layer) {
    runner_.run_layers(items_, hidden, layer, layer + 1);
    std::memcpy(teacher_layers_[static_cast<std::size_t>(layer - first)].reserve_as<float>(size), hidden,
                size * sizeof(float));
  }
  return hidden;
}

void Distiller::set_targets(std::span<const TokenId> tokens, const CoreBatch& batch) {
  targets_.assign(tokens.size(), -1);
  rows_.resize(tokens.size());
  const auto length = static_cast<std::size_t>(batch.length);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
    if ((i + 1) % length != 0) targets_[i] = tokens[i + 1];
}

LossSums Distiller::sum_losses(const CoreBatch& batch, std::vector<LossSums>* each) const {
  LossSums total;
  for (int s = 0; s < batch.sequences; ++s) {
    LossSums sums;
    for (int i = 0; i < batch.length; ++i) {
      const auto row =
          static_cast<std::size_t>(s) * static_cast<std::size_t>(batch.length) + static_cast<std::size_t>(i);
      sums.kl += rows_[row].kl;
      sums.nll += rows_[row].nll;
      sums.teacher_nll += rows_[row].teacher_nll;
      sums.tokens += 1;
      sums.targets += targets_[row] >= 0 ? 1 : 0;
    }
    if (each != nullptr) each->push_back(sums);
    total += sums;
  }
  return total;
}

/// Adds the gradient of the hidden-state term of one layer to d_student; returns the term's sum over rows.
double Distiller::add_hidden_loss(const float* teacher, const float* student, float* d_student) const {
  const auto D = static_cast<std::ptrdiff_t>(model_.config.hidden);
  const auto N = std::ssize(targets_);
  const int layers = model_.config.layers - student_.lowest();
  std::vector<double> losses(targets_.size());
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < N; ++i) {
    const float* const t = teacher + i * D;
    const float* const s = student + i * D;
    double size = 0, distance = 0;
    for (std::ptrdiff_t j = 0; j < D; ++j) {
      size += static_cast<double>(t[j]) * static_cast<double>(t[j]);
      distance += static_cast<double>(s[j] - t[j]) * static_cast<double>(s[j] - t[j]);
    }
    losses[static_cast<std::size_t>(i)] = distance / size / layers;
    const auto factor = static_cast<float>(weights_.hidden * 2 / size / layers);
    for (std::ptrdiff_t j = 0; j < D; ++j) d_student[i * D + j] += factor * (s[j] - t[j]);
  }
  double total = 0;
  for (const double loss : losses) total += loss;
  return total;
}

LossSums Distiller::learn(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<float> gradients) {
  float* const hidden = run_below(tokens, batch);
  const bool hidden_loss = weights_.hidden > 0;
  const float* const teacher = run_teacher(batch, hidden_loss);
  set_targets(tokens, batch);
  student_.forward(batch, hidden, true);
  float* const d_hidden = d_hidden_.reserve_as<float>(tokens.size() * static_cast<std::size_t>(model_.config.hidden));
  const LogitsLoss loss{static_cast<float>(weights_.kl), static_cast<float>(weights_.ce), 1};
  head_.run(teacher, hidden, targets_, loss, d_hidden, rows_, student_.profile());
  LossSums sums = sum_losses(batch, nullptr);
  Student::AtOutput at_output;
  if (hidden_loss) {
    sums.hidden += add_hidden_loss(teacher, hidden, d_hidden);
    at_output = [&](int layer, const float* student, float* d_student) {
      const AlignedBuffer& kept = teacher_layers_[static_cast<std::size_t>(layer - student_.lowest())];
      sums.hidden += add_hidden_loss(reinterpret_cast<const float*>(kept.data()), student, d_student);
    };
  }
  student_.backward(d_hidden, gradients, at_output);
  return sums;
}

LossSums Distiller::measure(std::span<const TokenId> tokens, const CoreBatch& batch, std::vector<LossSums>* each) {
  float* const hidden = run_below(tokens, batch);
  const float* const teacher = run_teacher(batch, false);
  set_targets(tokens, batch);
  student_.forward(batch, hidden, false);
  head_.run(teacher, hidden, targets_, {}, nullptr, rows_, student_.profile());
  return sum_losses(batch, each);
}

void Distiller::best_tokens(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<const int> rows,
                            std::span<TokenId> best) {
  float* const hidden = run_below(tokens, batch);
  student_.forward(batch, hidden, false);
  head_.best_tokens(hidden, rows, best);
}

}  // namespace layerboost
