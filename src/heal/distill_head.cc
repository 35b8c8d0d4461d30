#include "heal/distill_head.h"

#include <algorithm>
#include <cstring>

#include "heal/transposed.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// Rows of one block: enough for the products, few enough that two blocks of logits stay small.
constexpr int block_rows = 128;

}  // namespace

DistillHead::DistillHead(const Model& model) : model_(model), transposed_(transposed_head(model)) {}

const float* DistillHead::logits(const float* hidden, std::span<const int> index, int count, AlignedBuffer& buffer) {
  const Config& config = model_.config;
  normed_.reshape(count, config.hidden, model_.precision);
  rms_norm(hidden, index, model_.weights.final_norm.data(), config.norm_eps, normed_, kernels_);
  float* const result = buffer.reserve_product(block_rows, config.vocab);
  return model_.weights.head.multiply(normed_, result, kernels_).data;
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
    float* const d_normed = d_normed_.reserve_product(block_rows, D);
    {
      const Profile::Scope time(profile, Phase::head_products);
      transposed_.multiply(*gradient, d_normed, kernels_);
    }
    const Profile::Scope time(profile, Phase::rows);
    std::memset(d_student + row * D, 0, size * static_cast<std::size_t>(D) * sizeof(float));
    rms_norm_backward(student + row * D, model_.weights.final_norm.data(), config.norm_eps, d_normed, count,
                      config.hidden, d_student + row * D);
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
