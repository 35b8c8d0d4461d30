#include "heal/distill_head.h"

#include <algorithm>
#include <cstring>

#include "heal/transposed.h"
#include "kernels/row_ops.h"
#include "kernels/soft_cap.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// Rows of one block: enough for the products, few enough that two blocks of logits stay small.
constexpr int block_rows = 128;

}  // namespace

DistillHead::DistillHead(const Model& model)
    : model_(model),
      transposed_(transposed_head(model)),
      rows_of_head_(
          model.weights.checkpoint->tensor(head_name(model.config), {model.config.vocab, model.config.hidden})) {}

const float* DistillHead::logits(const float* hidden, std::span<const int> index, int count, AlignedBuffer& buffer) {
  const Config& config = model_.config;
  normed_.reshape(count, config.hidden, model_.precision);
  rms_norm(hidden, index, model_.weights.final_norm.data(), config.norm_eps, normed_, kernels_);
  float* const result = buffer.reserve_product(block_rows, config.vocab);
  const Product logits = model_.weights.head.multiply(normed_, result, kernels_);
  return config.logit_soft_cap > 0 ? soft_cap_rows(logits, config.logit_soft_cap, result).data : logits.data;
}

const float* DistillHead::back_through_head(const float* logits) {
  const Config& config = model_.config;
  if (config.logit_soft_cap > 0) soft_cap_backward(logits, config.logit_soft_cap, gradient_);
  float* const d_normed = d_normed_.reserve_product(block_rows, config.hidden);
  transposed_.multiply(gradient_, d_normed, kernels_);
  return d_normed;
}

void DistillHead::run(const float* teacher, const float* student, std::span<const std::int32_t> targets,
                      const LogitsLoss& loss, float* d_student, std::span<LogitsRow> rows, Profile& profile) {
  const Config& config = model_.config;
  const auto D = static_cast<std::ptrdiff_t>(config.hidden);
  const auto N = std::ssize(targets);
  for (std::ptrdiff_t row = 0; row < N; row += block_rows) {
    const int count = static_cast<int>(std::min<std::ptrdiff_t>(block_rows, N - row));
    const auto at = static_cast<std::size_t>(row), size = static_cast<std::size_t>(count);
    const float *teacher_logits = nullptr, *student_logits = nullptr;
    {
      const Profile::Scope time(profile, Phase::head_products);
      teacher_logits = logits(teacher + row * D, {}, count, teacher_);
      student_logits = logits(student + row * D, {}, count, student_);
    }
    Activations* const gradient = d_student != nullptr ? &gradient_ : nullptr;
    {
      const Profile::Scope time(profile, Phase::head_rows);
      if (gradient != nullptr) gradient->reshape(count, config.vocab, model_.precision);
      logits_loss(teacher_logits, student_logits, targets.subspan(at, size), config.vocab, loss, gradient,
                  rows.subspan(at, size), kernels_);
    }
    if (gradient == nullptr) continue;
    const float* d_normed = nullptr;
    {
      const Profile::Scope time(profile, Phase::head_products);
      d_normed = back_through_head(student_logits);
    }
    const Profile::Scope time(profile, Phase::rows);
    std::memset(d_student + row * D, 0, size * static_cast<std::size_t>(D) * sizeof(float));
    rms_norm_backward(student + row * D, model_.weights.final_norm.data(), config.norm_eps, d_normed, count,
                      config.hidden, d_student + row * D);
  }
}

void DistillHead::likelihood_gradients(const float* hidden, std::ptrdiff_t N, std::span<const int> rows,
                                       const ChooseTokens& choose, std::span<float* const> d_hidden) {
  const Config& config = model_.config;
  const std::size_t D = static_cast<std::size_t>(config.hidden), passes = d_hidden.size();
  for (float* const d : d_hidden) std::memset(d, 0, static_cast<std::size_t>(N) * D * sizeof(float));
  std::vector<std::int32_t> tokens(block_rows * passes), likeliest(block_rows);
  std::vector<LogitsRow> losses(block_rows);
  for (std::size_t first = 0; first < rows.size(); first += block_rows) {
    const auto block = rows.subspan(first, std::min<std::size_t>(block_rows, rows.size() - first));
    const int count = static_cast<int>(block.size());
    const float* const block_logits = logits(hidden, block, count, student_);
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const auto chosen = std::span(tokens).subspan(at * passes, passes);
      choose(first + at, block_logits + i * config.vocab, chosen);
      likeliest[at] = argmax(block_logits + i * config.vocab, config.vocab);
    }
    gradient_.reshape(count, config.vocab, model_.precision);
    logits_loss(block_logits, block_logits, std::span(likeliest).first(block.size()), config.vocab, {0, 1, -1},
                &gradient_, losses, kernels_);
    // Of the likeliest tokens, 1 - p of which bf16 would lose.
    const float* const d_normed = back_through_head(block_logits);
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(block[at]) * config.hidden;
      std::vector<float> own(D), of_likeliest(D), of_token(D);
      read_rows(rows_of_head_, likeliest[at], 1, of_likeliest.data());
      for (std::size_t pass = 0; pass < passes; ++pass) {
        const std::int32_t token = tokens[at * passes + pass];
        std::memcpy(own.data(), d_normed + i * config.hidden, D * sizeof(float));
        if (token != likeliest[at]) {
          read_rows(rows_of_head_, token, 1, of_token.data());
          const auto slope_of = [&](std::int32_t id) {
            return soft_cap_slope(block_logits[i * config.vocab + id], config.logit_soft_cap);
          };
          const float slope = slope_of(token), likeliest_slope = slope_of(likeliest[at]);
          for (std::size_t j = 0; j < D; ++j) own[j] += slope * of_token[j] - likeliest_slope * of_likeliest[j];
        }
        rms_norm_backward(hidden + offset, model_.weights.final_norm.data(), config.norm_eps, own.data(), 1,
                          config.hidden, d_hidden[pass] + offset);
      }
    }
  }
}

void DistillHead::best_tokens(const float* hidden, std::span<const int> rows, std::span<std::int32_t> best) {
  for (std::size_t first = 0; first < rows.size(); first += block_rows) {
    const auto block = rows.subspan(first, std::min<std::size_t>(block_rows, rows.size() - first));
    const float* const block_logits = logits(hidden, block, static_cast<int>(block.size()), student_);
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < std::ssize(block); ++i)
      best[first + static_cast<std::size_t>(i)] = argmax(block_logits + i * model_.config.vocab, model_.config.vocab);
  }
}

}  // namespace layerboost
