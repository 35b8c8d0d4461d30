// The gradient of the whole student against finite differences, in f32 on a small random model.
#include "heal/student.h"

#include <gtest/gtest.h>

#include "artifact/healed_for_tests.h"
#include "base/cpu.h"
#include "base/temporary_path_for_tests.h"
#include "heal/distiller.h"
#include "mixer/architectures_for_tests.h"

namespace layerboost {
namespace {

constexpr std::size_t plenty = std::size_t{1} << 30;

MixerParameters random_mixers(const Config& config, int layer) {
  Random random(11);
  std::vector<float> map;
  const auto D = static_cast<std::size_t>(config.hidden);
  for (std::size_t i = 0; i < D * D; ++i) map.push_back(static_cast<float>(random.normal() / std::sqrt(48.0)));
  for (std::size_t i = 0; i < D; ++i) map.push_back(static_cast<float>(0.1 * random.normal()));
  MixerParameters parameters = {{{layer, MixerKind::map}, map}};
  // Of linear states: large enough that the states matter beside the windows.
  for (const auto& [own, kind] : {std::pair(0, MixerKind::hybrid), std::pair(3, MixerKind::gated)})
    for (std::size_t i = 0; i < parameter_count(config, {kind}); ++i)
      parameters[{own, kind}].push_back(static_cast<float>(0.5 * random.normal()));
  return parameters;
}

std::vector<MixerSpec> specs_of(std::initializer_list<const char*> words) {
  std::vector<MixerSpec> specs;
  for (const char* word : words) specs.push_back(parse_mixer(word));
  return specs;
}

/// A student with random pairs, and what it reads.
struct Trial {
  Trial(const std::vector<MixerSpec>& specs, LossWeights loss, std::size_t memory = plenty,
        Precision precision = Precision::f32)
      : Trial(random_model(precision), specs, loss, memory) {}

  Trial(std::unique_ptr<Model> its_model, const std::vector<MixerSpec>& specs, LossWeights loss,
        std::size_t memory = plenty)
      : model(std::move(its_model)),
        student(*model, specs, random_mixers(model->config, 2), {3, 6}, memory),
        weights(loss),
        distiller(*model, student, loss),
        tokens(random_tokens(static_cast<int>(batch.rows()), model->config.vocab)),
        parameters(student.parameter_count()),
        gradients(student.parameter_count(), 0) {
    use_threads(1);  // of so little work, threads would only wait for each other
    student.initialize(5, parameters);
    Random random(6);
    for (float& p : parameters) p += static_cast<float>(0.1 * random.normal());
    student.assign(parameters);
  }

  double loss(const std::vector<float>& at) {
    student.assign(at);
    std::vector<float> unused(gradients.size(), 0);
    return distiller.learn(tokens, batch, unused).loss(weights) * static_cast<double>(batch.rows());
  }

  std::unique_ptr<Model> model;
  Student student;
  LossWeights weights;
  Distiller distiller;
  CoreBatch batch{2, 23};
  std::vector<TokenId> tokens;
  std::vector<float> parameters, gradients;
};

/// Compares derivatives along a random direction within every block of parameters.
void check_gradient(Trial& trial) {
  trial.distiller.learn(trial.tokens, trial.batch, trial.gradients);
  Random random(9);
  const auto check = [&](const std::string& name, std::size_t first, std::size_t count) {
    std::vector<double> direction(count);
    double expected = 0;
    // Half random, half along the gradient, so that the derivative stands out from rounding.
    double size = 0;
    for (std::size_t i = 0; i < count; ++i) size += std::pow(static_cast<double>(trial.gradients[first + i]), 2);
    size = std::sqrt(size / static_cast<double>(count));
    ASSERT_GT(size, 0) << name;
    for (std::size_t i = 0; i < count; ++i) {
      direction[i] = static_cast<double>(trial.gradients[first + i]) / size + random.normal();
      expected += direction[i] * static_cast<double>(trial.gradients[first + i]);
    }
    const auto along = [&](double step) {
      std::vector<float> above = trial.parameters, below = trial.parameters;
      for (std::size_t i = 0; i < count; ++i) {
        above[first + i] += static_cast<float>(step * direction[i]);
        below[first + i] -= static_cast<float>(step * direction[i]);
      }
      return (trial.loss(above) - trial.loss(below)) / (2 * step);
    };
    // Shorter steps drown in rounding. The error of these goes with their square, so two tell how large it is.
    constexpr double step = 1e-3;
    const double found = (4 * along(step / 2) - along(step)) / 3;
    EXPECT_NEAR(found / expected, 1, 0.01) << name;
  };
  for (const LoraSite& site : trial.student.sites()) {
    check(site.parts[0].name + " a", site.a, site.parts.size() * 3 * static_cast<std::size_t>(site.in));
    for (const LoraPart& part : site.parts) check(part.name + " b", part.b, 3 * static_cast<std::size_t>(part.out));
  }
  for (const CoreSlot& core : trial.student.cores()) check("a core", core.first, core.count);
}

TEST(Student, SizesThatItCannotComputeWithAreRefused) {
  Config config = test::small_config();
  check_sizes_for_healing(config);
  config.ffn = 65;
  EXPECT_THROW(check_sizes_for_healing(config), Error);
  config.ffn = 64;
  config.head_size = 256;
  check_sizes_for_healing(config);
  config.head_size = 272;
  EXPECT_THROW(check_sizes_for_healing(config), Error);
}

TEST(Student, LongTextsHaveTheirRotations) {
  for (const auto& words : {specs_of({"softmax", "window:5+2", "none", "softmax"}),
                            specs_of({"hybrid:5+2", "window:5+2", "map", "gated:6"})}) {
    Trial trial(with_long_texts(random_model(Precision::f32), 22), words, {1, 0.5, 0});
    Trial right(with_long_texts_alone(random_model(Precision::f32)), words, {1, 0.5, 0});
    EXPECT_EQ(trial.loss(trial.parameters), right.loss(right.parameters));
    EXPECT_EQ(trial.gradients, right.gradients);
    check_gradient(trial);
    Trial short_ones(with_long_texts(random_model(Precision::f32), 23), words, {1, 0.5, 0});
    EXPECT_NE(short_ones.loss(short_ones.parameters), right.loss(right.parameters));
  }
}

TEST(Student, TextsHaveTheRotationsOfTheirLength) {
  for (const auto& words : {specs_of({"softmax", "window:5+2", "none", "softmax"}),
                            specs_of({"hybrid:5+2", "window:5+2", "map", "gated:6"})}) {
    Trial trial(with_dynamic_rope(random_model(Precision::f32), 10), words, {1, 0.5, 0});
    const int length = trial.batch.length;
    Trial right(with_dynamic_rope_of(random_model(Precision::f32), 10, length), words, {1, 0.5, 0});
    EXPECT_NEAR(trial.loss(trial.parameters), right.loss(right.parameters), 1e-5);
    for (std::size_t i = 0; i < trial.gradients.size(); ++i)
      ASSERT_NEAR(trial.gradients[i], right.gradients[i], 1e-4) << i;
    check_gradient(trial);
    Trial other(with_dynamic_rope_of(random_model(Precision::f32), 10, length + 1), words, {1, 0.5, 0});
    EXPECT_GT(std::abs(other.loss(other.parameters) - right.loss(right.parameters)), 1e-4);
  }
}

TEST(Student, GradientIsRight) {
  Trial trial(specs_of({"softmax", "window:5+2", "none", "softmax"}), {1, 0, 0});
  EXPECT_EQ(trial.student.lowest(), 1);
  check_gradient(trial);
}

TEST(Student, GradientIsRightWithMapsAndAllLosses) {
  Trial trial(specs_of({"window:4", "softmax", "map", "window:7+1"}), {0.7, 0.3, 0.5});
  EXPECT_EQ(trial.student.lowest(), 0);
  check_gradient(trial);
}

TEST(Student, ScratchMemoryStopsGrowing) {
  Trial trial(specs_of({"hybrid:4+1", "softmax", "gated:5", "window:5+2"}), {1, 0, 0});
  const auto after = [&](int times) {
    for (int i = 0; i < times; ++i) trial.distiller.learn(trial.tokens, trial.batch, trial.gradients);
    return trial.distiller.scratch_bytes();
  };
  EXPECT_EQ(trial.distiller.scratch_bytes(), 0U);
  const std::size_t twice = after(2);
  EXPECT_GT(twice, 0U);
  EXPECT_EQ(after(3), twice);
}

/// As random_model(), of another architecture.
std::unique_ptr<Model> other_model(const char* arch) {
  const fs::path directory = test::temporary_path(arch);
  Config config = test::small_config();
  config.arch = arch;
  config.qkv_bias = config.arch == "qwen2";
  config.qk_norm = config.arch == "qwen3";
  test::write_small_model(directory, config);
  auto model = load_model(directory, Precision::f32);
  fs::remove_all(directory);  // the map stays
  return model;
}

TEST(Student, GradientIsRightWithBiasesAndHeadNorms) {
  for (const char* arch : {"qwen2", "qwen3"}) {
    SCOPED_TRACE(arch);
    Trial trial(other_model(arch), specs_of({"window:5+2", "softmax", "none", "gated:5"}), {1, 0, 0});
    ASSERT_TRUE(trial.model->config.qkv_bias || trial.model->config.qk_norm);
    check_gradient(trial);
  }
}

TEST(Student, GradientIsRightWithLinearStates) {
  Trial trial(specs_of({"hybrid:4+1", "softmax", "map", "gated:5"}), {1, 0, 0});
  EXPECT_EQ(trial.student.cores().size(), 2U);
  check_gradient(trial);
}

TEST(Student, MatchingGradientIsRight) {
  const auto specs = specs_of({"hybrid:4+1", "softmax", "map", "gated:5"});
  Trial trial(specs, {1, 0, 0});
  for (std::size_t i = 0; i < trial.student.first_core_parameter(); ++i) trial.parameters[i] = 0;  // no pairs yet
  trial.student.assign(trial.parameters);
  trial.distiller.match(trial.tokens, trial.batch, trial.gradients);
  Random random(9);
  for (const CoreSlot& core : trial.student.cores()) {
    std::vector<float> above = trial.parameters, below = trial.parameters, unused(trial.gradients.size());
    double expected = 0;
    for (std::size_t i = core.first; i < core.first + core.count; ++i) {
      const double direction = random.normal() + (trial.gradients[i] > 0 ? 1 : -1);
      expected += direction * static_cast<double>(trial.gradients[i]);
      above[i] += static_cast<float>(1e-3 * direction);
      below[i] -= static_cast<float>(1e-3 * direction);
    }
    const auto loss = [&](const std::vector<float>& at) {
      trial.student.assign(at);
      return trial.distiller.match(trial.tokens, trial.batch, unused);
    };
    EXPECT_NEAR((loss(above) - loss(below)) / 2e-3 / expected, 1, 0.01) << name_of(core.kind);
  }
  for (std::size_t i = 0; i < trial.student.first_core_parameter(); ++i) ASSERT_EQ(trial.gradients[i], 0);
}

TEST(Student, GradientIsTheSameWhenActivationsAreComputedAgain) {
  const auto specs = specs_of({"window:4", "softmax", "none", "window:7+1"});
  Trial kept(specs, {1, 0.1, 0.5}), again(specs, {1, 0.1, 0.5}, 0), some(specs, {1, 0.1, 0.5}, 400000);
  EXPECT_EQ(kept.student.recomputed_layers(kept.batch), 0);
  EXPECT_EQ(again.student.recomputed_layers(again.batch), 4);
  const int part = some.student.recomputed_layers(some.batch);
  EXPECT_TRUE(part > 0 && part < 4) << part;
  for (Trial* trial : {&kept, &again, &some}) trial->distiller.learn(trial->tokens, trial->batch, trial->gradients);
  EXPECT_EQ(kept.gradients, again.gradients);
  EXPECT_EQ(kept.gradients, some.gradients);
}

TEST(Student, GradientDoesNotDependOnHowThreadsTakeTurns) {
  const auto specs = specs_of({"window:4", "softmax", "gated:5", "window:7+1"});
  Trial trial(specs, {1, 0, 0.5}, plenty, Precision::bf16);
  use_threads(2);
  trial.distiller.learn(trial.tokens, trial.batch, trial.gradients);
  for (int i = 0; i < 5; ++i) {
    std::vector<float> again(trial.gradients.size(), 0);
    trial.distiller.learn(trial.tokens, trial.batch, again);
    ASSERT_EQ(again, trial.gradients);
  }
}

TEST(Student, Bf16IsNearF32) {
  const auto specs = specs_of({"window:4", "softmax", "none", "window:7+1"});
  Trial exact(specs, {1, 0, 0}), rounded(specs, {1, 0, 0}, plenty, Precision::bf16);
  const double loss = exact.distiller.learn(exact.tokens, exact.batch, exact.gradients).kl;
  EXPECT_NEAR(rounded.distiller.learn(rounded.tokens, rounded.batch, rounded.gradients).kl / loss, 1, 0.03);
  double dot = 0, a = 0, b = 0;
  for (std::size_t i = 0; i < exact.gradients.size(); ++i) {
    const auto x = static_cast<double>(exact.gradients[i]), y = static_cast<double>(rounded.gradients[i]);
    dot += x * y;
    a += x * x;
    b += y * y;
  }
  EXPECT_GT(dot / std::sqrt(a * b), 0.995);
}

TEST(Student, WithoutPairsIsThePlannedModel) {
  Trial trial(specs_of({"window:4", "softmax", "none", "window:7+1"}), {1, 0, 0});
  trial.student.initialize(5, trial.parameters);  // B is zero
  trial.student.assign(trial.parameters);
  const LossSums sums = trial.distiller.measure(trial.tokens, trial.batch);
  MixerSet mixers(*trial.model);
  double nll = 0;
  const auto& list = mixers.list(specs_of({"window:4", "softmax", "none", "window:7+1"}));
  for (std::size_t s = 0; s < 2; ++s)
    for (const double p : token_log_probs(*trial.model, list, std::span(trial.tokens).subspan(s * 23, 23), 23))
      nll -= p;
  EXPECT_NEAR(sums.nll, nll, 1e-3);
  EXPECT_EQ(sums.targets, 44);
}

class StudentOfArchitecture : public testing::TestWithParam<std::string> {
 protected:
  static Trial trial(LossWeights loss, std::size_t memory = plenty) {
    return {test::load_architecture(GetParam(), Precision::f32),
            specs_of({"hybrid:4+1", "window:5+2", "map", "gated:5"}), loss, memory};
  }
};

TEST_P(StudentOfArchitecture, GradientIsRight) {
  Trial its = trial({1, 0.3, 0.5});
  check_gradient(its);
}

TEST_P(StudentOfArchitecture, GradientIsTheSameWhenActivationsAreComputedAgain) {
  Trial kept = trial({1, 0, 0}), again = trial({1, 0, 0}, 0);
  EXPECT_EQ(again.student.recomputed_layers(again.batch), 4);
  for (Trial* its : {&kept, &again}) its->distiller.learn(its->tokens, its->batch, its->gradients);
  EXPECT_EQ(kept.gradients, again.gradients);
}

TEST_P(StudentOfArchitecture, WithoutPairsIsThePlannedModel) {
  Trial its = trial({1, 0, 0});
  its.student.initialize(5, its.parameters);  // B is zero
  its.student.assign(its.parameters);
  const LossSums sums = its.distiller.measure(its.tokens, its.batch);
  MixerSet mixers(*its.model, random_mixers(its.model->config, 2));
  const auto& list = mixers.list(specs_of({"hybrid:4+1", "window:5+2", "map", "gated:5"}));
  double nll = 0;
  for (std::size_t s = 0; s < 2; ++s)
    for (const double p : token_log_probs(*its.model, list, std::span(its.tokens).subspan(s * 23, 23), 23)) nll -= p;
  EXPECT_NEAR(sums.nll, nll, 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Tiny, StudentOfArchitecture, testing::ValuesIn(test::architecture_names()),
                         test::architecture_in_letters);

}  // namespace
}  // namespace layerboost
