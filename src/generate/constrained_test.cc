#include "generate/constrained.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "grammar/gbnf.h"
#include "model/runner.h"
#include "text/testing.h"

namespace layerboost {
namespace {

#ifdef LAYERBOOST_SANITIZED
constexpr int times_drawn = 300;
#else
constexpr int times_drawn = 4000;
#endif

/// A token for each byte and for each pair of the letters a to t.
const Tokenizer& pairs() {
  static const Tokenizer made = [] {
    std::vector<std::string> merges;
    for (char a = 'a'; a <= 't'; ++a)
      for (char b = 'a'; b <= 't'; ++b) merges.push_back(std::string(1, a) + " " + b);
    return Tokenizer(small_tokenizer_data(std::move(merges)));
  }();
  return made;
}

std::shared_ptr<const Constraint> constraint_by(const std::string& rules, const LookingLimits& limits = {}) {
  static const auto vocabulary = std::make_shared<const Vocabulary>(pairs(), pairs().size());
  Grammar grammar;
  grammar.end(add_gbnf(grammar, grammar.first(0), rules));
  grammar.finish();
  return std::make_shared<const Constraint>(std::move(grammar), vocabulary, limits);
}

/// Of letters a to t, a few hundred places open after each, and others after each.
std::string wide_rules() {
  std::string text = "root ::= (";
  for (char c = 'a'; c <= 't'; ++c) text += fmt::format("{}\"{}\" ([a-t]?){{400}}", c > 'a' ? " | " : "", c);
  return text + ")* \".\"";
}

/// All of which can be looked at over and over.
std::shared_ptr<const Constraint> wide_constraint() {
  static const auto made =
      constraint_by(wide_rules(), {.saved = std::size_t{1} << 40, .automaton = {.room = std::size_t{1} << 22}});
  return made;
}

std::vector<Sampling> ways_of_sampling() {
  return {{},
          {.temperature = 1},
          {.temperature = 1, .top_p = 0.95},
          {.temperature = 0.7, .top_p = 0.5},
          {.temperature = 1, .top_k = 3},
          {.temperature = 1.3, .top_p = 0.8, .top_k = 60},
          {.temperature = 1, .min_p = 0.05},
          {.temperature = 1, .top_p = 0.9, .top_k = 300, .min_p = 0.001}};
}

std::string words_of(const Sampling& s) {
  return fmt::format("temperature {} top_p {} top_k {} min_p {}", s.temperature, s.top_p, s.top_k, s.min_p);
}

/// Logits that differ by some `spread`; what isn't allowed is likelier than the rest, on the whole.
std::vector<float> logits_with(double spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> logits;
  for (TokenId token = 0; token < pairs().size(); ++token) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    logits.push_back(static_cast<float>(spread * (sum + (token < 'a' ? 1.5 : 0))));
  }
  return logits;
}

Chosen choose(const std::vector<float>& logits, const Sampling& sampling, Guide& guide, Random& random) {
  ScratchStack scratch;
  const TokenId end = pairs().eos();
  return sample_guided(logits.data(), 1, static_cast<int>(logits.size()), sampling, LogitsProcessors(sampling, {}),
                       {&end, 1}, guide, random, scratch);
}

TokenId drawn(const std::vector<float>& logits, const Sampling& sampling, Guide& guide, Random& random) {
  const Chosen chosen = choose(logits, sampling, guide, random);
  EXPECT_EQ(chosen.error, nullptr);
  return chosen.token;
}

/// How likely each token is, of those that are allowed: by the definition.
std::vector<double> probabilities(const std::vector<float>& logits, const Sampling& sampling,
                                  const TokenMask& allowed) {
  std::vector<TokenId> order;
  for (TokenId token = 0; token < static_cast<TokenId>(std::ssize(logits)); ++token)
    if (is_in(allowed, token)) order.push_back(token);
  const auto logit = [&](TokenId token) { return static_cast<double>(logits[static_cast<std::size_t>(token)]); };
  std::ranges::sort(order, [&](TokenId a, TokenId b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  const double best = logit(order.front());
  if (sampling.temperature == 0) order.resize(1);
  if (sampling.top_k > 0) order.resize(std::min<std::size_t>(order.size(), static_cast<std::size_t>(sampling.top_k)));
  std::vector<double> result(logits.size(), 0);
  for (const TokenId token : order) {
    const double weight = std::exp((logit(token) - best) / std::max(sampling.temperature, 1e-9));
    if (weight >= sampling.min_p) result[static_cast<std::size_t>(token)] = weight;
  }
  const double all = std::accumulate(result.begin(), result.end(), 0.0);
  double before = 0;
  for (const TokenId token : order) {
    double& weight = result[static_cast<std::size_t>(token)];
    before += weight;
    if (before - weight >= sampling.top_p * all) weight = 0;
  }
  const double left = std::accumulate(result.begin(), result.end(), 0.0);
  for (double& weight : result) weight /= left;
  return result;
}

// Flat, as usual, and sharp: what decides are some hundred tokens, a few dozen, or a few.
TEST(SampleGuided, IsSamplingAmongThoseThatAreAllowed) {
  Guide guide(wide_constraint());
  const auto allowed = Guide(wide_constraint()).allowed();
  ASSERT_NE(allowed, nullptr);
  for (const double spread : {0.02, 1.0, 4.0}) {
    const std::vector<float> logits = logits_with(spread, 3);
    for (const Sampling& sampling : ways_of_sampling()) {
      const std::vector<double> expected = probabilities(logits, sampling, *allowed);
      std::vector<double> counts(logits.size(), 0);
      Random random(5);
      for (int i = 0; i < times_drawn; ++i) ++counts[static_cast<std::size_t>(drawn(logits, sampling, guide, random))];
      double far = 0, kinds = 0;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        if (expected[i] == 0) {
          EXPECT_EQ(counts[i], 0) << words_of(sampling) << " spread " << spread << " token " << i;
          continue;
        }
        const double mean = expected[i] * times_drawn;
        EXPECT_NEAR(counts[i], mean, 5 * std::sqrt(mean) + 5) << words_of(sampling) << " spread " << spread;
        if (mean < 5) continue;
        far += std::pow(counts[i] - mean, 2) / mean;
        ++kinds;
      }
      EXPECT_LT(far, kinds + 5 * std::sqrt(2 * kinds) + 5) << words_of(sampling) << " spread " << spread;
    }
  }
}

// Where no more may be looked at, what isn't known isn't taken for what isn't allowed: others don't come in its place.
TEST(SampleGuided, FailsWhereTooMuchHasToBeLookedAt) {
  Guide right(wide_constraint());
  int failed = 0;
  for (const std::size_t saved : {std::size_t{500}, std::size_t{3000}, std::size_t{20'000}}) {
    const auto wide = constraint_by(wide_rules(), {.saved = saved, .least_saved = 0, .for_token = 0, .for_step = 0});
    for (const Sampling& sampling : ways_of_sampling()) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const std::vector<float> logits = logits_with(2, seed);
        Random one(seed), other(seed);
        Guide guide(wide);
        const Chosen chosen = choose(logits, sampling, guide, one);
        const TokenId expected = drawn(logits, sampling, right, other);
        if (chosen.token < 0) {
          EXPECT_NE(std::string(chosen.error).find("too much open"), std::string::npos);
          EXPECT_TRUE(chosen.by_request);
          ++failed;
        } else {
          EXPECT_EQ(chosen.token, expected) << words_of(sampling) << " saved " << saved;
        }
      }
    }
  }
  EXPECT_GT(failed, 8);
}

// Those after which too much is open don't come where others may, however tokens are sampled.
TEST(SampleGuided, GoesRoundWhatLeavesTooMuchOpen) {
  const auto constraint = constraint_by("root ::= ([a-t ]* | [a-t ]* \"a\" ([a-t]?){5000}) \"X\"");
  const TokenMask allowed = *Guide(constraint).allowed_one_by_one();
  ASSERT_FALSE(is_in(allowed, 'a'));
  for (const Sampling& sampling : ways_of_sampling()) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      std::vector<float> logits = logits_with(1, seed);
      for (TokenId token = 0; token < pairs().size(); ++token)
        if (pairs().bytes(token).find('a') != std::string_view::npos) logits[static_cast<std::size_t>(token)] += 5;
      Random random(seed);
      Guide guide(constraint);
      EXPECT_TRUE(is_in(allowed, drawn(logits, sampling, guide, random))) << words_of(sampling);
    }
  }
}

// Where nothing else may come, the text ends, if it may.
TEST(SampleGuided, EndsWhereAllElseLeavesTooMuchOpen) {
  const auto constraint = constraint_by("root ::= \"x\" (\"y\" ([a-t]?){5000})?");
  for (const Sampling& sampling : ways_of_sampling()) {
    Random random(1);
    Guide guide(constraint);
    guide.see('x');
    std::vector<float> logits = logits_with(1, 1);
    logits[static_cast<std::size_t>(pairs().eos())] = -9;
    EXPECT_EQ(drawn(logits, sampling, guide, random), pairs().eos()) << words_of(sampling);
  }
}

// A row that isn't all numbers is never sampled from.
TEST(SampleGuided, SaysWhereLogitsAreNoNumbers) {
  std::vector<float> logits = logits_with(1, 1);
  logits['b'] = NAN;
  for (const Sampling& sampling : ways_of_sampling()) {
    Random random(1);
    Guide guide(wide_constraint());
    const Chosen chosen = choose(logits, sampling, guide, random);
    EXPECT_EQ(chosen.token, -1) << words_of(sampling);
    EXPECT_STREQ(chosen.error, damaged_model);
  }
}

}  // namespace
}  // namespace layerboost
