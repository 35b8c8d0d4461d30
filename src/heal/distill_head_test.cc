#include "heal/distill_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Several tokens a row at once give what one loss after another gives, in rows out of order and of other counts than a
/// block's; rows that aren't named have no gradient.
TEST(DistillHead, LikelihoodGradientsAreThoseOfEachToken) {
  const std::unique_ptr<Model> model = random_model(Precision::f32);
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

}  // namespace
}  // namespace layerboost
