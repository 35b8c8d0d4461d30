#include "eval/divergence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

std::vector<TokenId> random_tokens(std::size_t count) {
  Random random(4);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(3 + random.below(380));
  return tokens;
}

/// Log-probabilities after each token of a text, in double: [T, V].
std::vector<std::vector<double>> all_log_probs(const Model& model, const MixerList& mixers,
                                               const std::vector<TokenId>& tokens) {
  Subject subject(model, mixers);
  Sequence sequence(mixers, subject.pools);
  const BatchItem item = {&sequence, tokens};
  const float* hidden = subject.runner.forward(std::span(&item, 1));
  std::vector<int> rows(tokens.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int>(i);
  std::vector<std::vector<double>> result;
  subject.runner.logits(hidden, rows, [&](const LogitsBlock& block) {
    for (std::size_t i = 0; i < block.rows.size(); ++i) {
      std::vector<double> row(block.row(i), block.row(i) + block.vocab);
      double sum = 0;
      for (const double logit : row) sum += std::exp(logit);
      for (double& logit : row) logit -= std::log(sum);
      result.push_back(std::move(row));
    }
  });
  return result;
}

class DivergenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path directory = shared_path() / "reference/tiny/llama";
    LB_SKIP_WITHOUT(directory);
    model_ = load_model(directory, Precision::f32);
    mixers_ = std::make_unique<MixerSet>(*model_);
    native_ = &mixers_->list(native_specs(model_->config));
    std::vector<MixerSpec> specs = native_specs(model_->config);
    specs[1] = {MixerKind::none, 0, 0};
    specs[3] = {MixerKind::window, 16, 0};
    changed_ = &mixers_->list(specs);
  }

  std::unique_ptr<Model> model_;
  std::unique_ptr<MixerSet> mixers_;
  const MixerList* native_ = nullptr;
  const MixerList* changed_ = nullptr;
};

TEST_F(DivergenceTest, OfAModelFromItselfIsNothing) {
  const auto windows = text_windows(random_tokens(400), {100, 0, 0, -1}, 0);
  Subject a(*model_, *native_), b(*model_, *native_);
  const TextDivergence found = measure_divergence(a, b, windows);
  EXPECT_NEAR(found.kl.mean, 0, 1e-3);
  EXPECT_EQ(found.agreement.mean, 1);
  EXPECT_EQ(found.nll_change.mean, 0);
}

TEST_F(DivergenceTest, MatchesTheDefinition) {
  const std::vector<TokenId> tokens = random_tokens(400);
  const auto windows = text_windows(tokens, {100, 0, 0, -1}, 0);
  Subject a(*model_, *native_), b(*model_, *changed_);
  const TextDivergence found = measure_divergence(a, b, windows);

  double kl = 0, agreement = 0, base = 0, changed = 0;
  for (std::size_t w = 0; w < 4; ++w) {
    const std::vector<TokenId> window(tokens.begin() + static_cast<std::ptrdiff_t>(100 * w),
                                      tokens.begin() + static_cast<std::ptrdiff_t>(100 * (w + 1)));
    const auto p = all_log_probs(*model_, *native_, window), q = all_log_probs(*model_, *changed_, window);
    for (std::size_t t = 0; t < 99; ++t) {
      for (std::size_t v = 0; v < p[t].size(); ++v) kl += std::exp(p[t][v]) * (p[t][v] - q[t][v]);
      const auto best = [](const std::vector<double>& row) {
        return std::max_element(row.begin(), row.end()) - row.begin();
      };
      agreement += best(p[t]) == best(q[t]) ? 1 : 0;
      base -= p[t][static_cast<std::size_t>(window[t + 1])];
      changed -= q[t][static_cast<std::size_t>(window[t + 1])];
    }
  }
  constexpr double n = 4 * 99;
  EXPECT_GT(kl / n, 1e-3);  // there is something to measure
  EXPECT_NEAR(found.kl.mean, kl / n, 0.02 * kl / n + 1e-3);
  EXPECT_NEAR(found.agreement.mean, agreement / n, 1e-9);
  EXPECT_LT(found.agreement.mean, 1);
  EXPECT_NEAR(found.base.nll.mean.mean, base / n, 1e-4);
  EXPECT_NEAR(found.changed.nll.mean.mean, changed / n, 1e-4);
  EXPECT_NEAR(found.nll_change.mean, (changed - base) / n, 1e-4);
  EXPECT_EQ(found.kl.n, 4);
}

TEST_F(DivergenceTest, PartsByPositionAreTheWhole) {
  const auto windows = text_windows(random_tokens(1200), {600, 0, 0, -1}, 0);
  Subject a(*model_, *native_), b(*model_, *changed_);
  const TextDivergence found = measure_divergence(a, b, windows);
  ASSERT_EQ(found.positions.size(), 3U);
  const int tokens[] = {255, 256, 88};  // a window's first is never scored
  double kl = 0, nll_change = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const PositionDivergence& part = found.positions[i];
    EXPECT_EQ(part.from, i == 0 ? 0 : 128 << i);
    EXPECT_EQ(part.to, 256 << i);
    EXPECT_EQ(part.kl.n, 2);
    kl += part.kl.mean * tokens[i] / 599;
    nll_change += part.nll_change.mean * tokens[i] / 599;
  }
  EXPECT_NEAR(kl, found.kl.mean, 1e-9);
  EXPECT_NEAR(nll_change, found.nll_change.mean, 1e-6);
}

TEST_F(DivergenceTest, OfAnotherModelsWeights) {
  const auto same = load_model(model_->path, Precision::f32);
  MixerSet mixers(*same);
  Subject base(*same, mixers.list(native_specs(same->config))), unchanged(*model_, *native_),
      changed(*model_, *changed_);
  const std::vector<TokenId> tokens = random_tokens(100);
  const std::vector<Request> windows = text_windows(tokens, {50, 0, 0, -1}, model_->config.max_positions);
  EXPECT_NEAR(measure_divergence(base, unchanged, windows).kl.mean, 0, 1e-3);  // log-probabilities are rounded
  EXPECT_GT(measure_divergence(base, changed, windows).kl.mean, 2e-3);
}

}  // namespace
}  // namespace layerboost
