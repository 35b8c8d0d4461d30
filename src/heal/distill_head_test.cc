#include "heal/distill_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Several tokens a row at once give what one loss after another gives, in rows out of order and of other counts than a
/// block's; rows that aren't named have no gradient.
void check_likelihood_gradients(float soft_cap) {
  const std::unique_ptr<Model> model = with_soft_caps(random_model(Precision::f32), 0, soft_cap);
  DistillHead head(*model);
  Profile profile;
  const std::ptrdiff_t N = 150, D = model->config.hidden;
  std::vector<float> hidden(static_cast<std::size_t>(N * D));
  Random random(3);
  for (float& x : hidden) x = static_cast<float>(random.normal());
  std::vector<int> rows;
  for (int row = static_cast<int>(N) - 1; row >= 0; row -= row % 7 == 3 ? 2 : 1) rows.push_back(row);

  std::vector<std::vector<std::int32_t>> targets(2, std::vector<std::int32_t>(static_cast<std::size_t>(N), -1));
  for (const int row : rows)
    for (auto& tokens : targets)
      tokens[static_cast<std::size_t>(row)] =
          static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(model->config.vocab)));
  std::vector<std::vector<float>> found(2, std::vector<float>(hidden.size(), 7.0F));
  const std::vector<float*> d_hidden = {found[0].data(), found[1].data()};
  head.likelihood_gradients(
      hidden.data(), N, rows,
      [&](std::size_t i, const float*, std::span<std::int32_t> tokens) {
        for (std::size_t pass = 0; pass < 2; ++pass) tokens[pass] = targets[pass][static_cast<std::size_t>(rows[i])];
      },
      d_hidden);
  for (std::size_t pass = 0; pass < 2; ++pass) {
    std::vector<float> expected(hidden.size());
    std::vector<LogitsRow> losses(static_cast<std::size_t>(N));
    head.run(hidden.data(), hidden.data(), targets[pass], {0, 1, -1}, expected.data(), losses, profile);
    EXPECT_THAT(found[pass], testing::Pointwise(testing::FloatNear(2e-5F), expected)) << pass;
  }
}

TEST(DistillHead, LikelihoodGradientsAreThoseOfEachToken) { check_likelihood_gradients(0); }

TEST(DistillHead, SoAreThoseOfCappedLogits) { check_likelihood_gradients(3); }

// Both sides' logits are those of the runner, capped; the gradient is that of central differences.
TEST(DistillHead, CappedLogitsHaveTheirGradient) {
  const std::unique_ptr<Model> model = with_soft_caps(random_model(Precision::f32), 0, 3);
  DistillHead head(*model);
  Profile profile;
  const auto D = static_cast<std::size_t>(model->config.hidden);
  Random random(3);
  std::vector<float> teacher(2 * D), student(2 * D), gradient(2 * D);
  for (std::vector<float>* const rows : {&teacher, &student})
    for (float& x : *rows) x = static_cast<float>(random.normal());
  const std::vector<std::int32_t> targets = {3, 1};
  const LogitsLoss loss = {0.7F, 0.3F, 1};
  std::vector<LogitsRow> rows(2);
  const auto losses = [&](float* d_student) {
    head.run(teacher.data(), student.data(), targets, loss, d_student, rows, profile);
    double sum = 0;
    for (const LogitsRow& row : rows) sum += 0.7 * row.kl + 0.3 * row.nll;
    return sum;
  };
  losses(gradient.data());
  Runner runner(*model);
  const std::vector<int> both = {0, 1};
  runner.logits(student.data(), both, [&](const LogitsBlock& block) {
    for (std::size_t i = 0; i < 2; ++i) {
      const float* const logits = block.row(i);
      for (int v = 0; v < block.vocab; ++v) EXPECT_LE(std::abs(logits[v]), 3.0F);
      EXPECT_NEAR(static_cast<double>(log_sum_exp(logits, block.scale(i), block.vocab) - logits[targets[i]]),
                  rows[i].nll, 1e-5);
    }
  });
  for (std::size_t i = 0; i < 2 * D; i += 3) {
    const float before = student[i];
    student[i] = before + 0.01F;
    const double above = losses(nullptr);
    student[i] = before - 0.01F;
    EXPECT_NEAR(gradient[i], (above - losses(nullptr)) / 0.02, 1e-4) << i;
    student[i] = before;
  }
}

}  // namespace
}  // namespace layerboost
