// The training cores against reference vectors made in double by an independent implementation.
#include "mixer/training.h"

#include <omp.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "kernels/scratch_for_tests.h"
#include "mixer/attention_block.h"
#include "mixer/attention_core.h"
#include "mixer/definitions_for_tests.h"
#include "mixer/dual_state_core.h"
#include "mixer/gated_core.h"
#include "mixer/hybrid_core.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

constexpr double gradient_tolerance = 2e-5;

std::vector<float> floats(const Json& json) { return json.get<std::vector<float>>(); }

void expect_near(const std::vector<float>& got, const Json& expected, const std::string& what) {
  const auto values = expected.get<std::vector<double>>();
  ASSERT_EQ(got.size(), values.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], values[i], gradient_tolerance * (1 + std::fabs(values[i]))) << what << " " << i;
}

/// The shape of a model as a reference file has it.
Config config_of(const Json& reference) {
  Config config;
  config.heads = reference["H"];
  config.kv_heads = reference["G"];
  config.head_size = reference["d"];
  return config;
}

class AttentionReference : public testing::TestWithParam<const char*> {};

TEST_P(AttentionReference, OutputAndGradients) {
  const fs::path file = shared_path() / "reference/mixers" / GetParam();
  LB_SKIP_WITHOUT(file);
  const Json reference = read_json(file);
  MixerSpec spec;
  if (reference.contains("w")) spec = {MixerKind::window, reference["w"], reference["s"]};
  const AttentionCore core(config_of(reference), Precision::f32, spec);

  const Json& given = reference["inputs"];
  const auto q = floats(given["q"]["data"]), k = floats(given["k"]["data"]), v = floats(given["v"]["data"]);
  const CoreInputs inputs{{1, reference["T"]}, nullptr, nullptr, nullptr, q.data(), k.data(), v.data()};
  std::vector<float> out(q.size()), saved(core.saved_floats(inputs.batch));
  core.forward(inputs, out.data(), saved.data(), test::scratch());
  expect_near(out, reference["output"]["data"], "output");

  const auto dout = floats(reference["output_gradient"]);
  std::vector<float> dq(q.size()), dk(k.size()), dv(v.size());
  core.backward(inputs, out.data(), saved.data(), dout.data(),
                {nullptr, nullptr, nullptr, dq.data(), dk.data(), dv.data()}, {}, test::scratch());
  const Json& gradients = reference["input_gradients"];
  expect_near(dq, gradients["q"], "dq");
  expect_near(dk, gradients["k"], "dk");
  expect_near(dv, gradients["v"], "dv");
}

INSTANTIATE_TEST_SUITE_P(Files, AttentionReference, testing::Values("softmax.json", "window.json"));

/// A core's results for a reference's inputs, q and k as they are or plain as well.
struct Outcome {
  std::vector<float> out, q, k, v, q_plain, k_plain, x, parameters;
};

Outcome run(MixerCore& core, const CoreInputs& inputs, const Config& config, const std::vector<float>& dout) {
  const auto rows = static_cast<std::size_t>(inputs.batch.rows());
  const auto q = rows * static_cast<std::size_t>(config.q_size()),
             kv = rows * static_cast<std::size_t>(config.kv_size()), x = rows * static_cast<std::size_t>(config.hidden);
  const auto zeros = [](std::size_t count) { return std::vector<float>(count); };
  Outcome o{zeros(q), zeros(q), zeros(kv), zeros(kv), zeros(q), zeros(kv), zeros(x), zeros(core.parameters().size())};
  std::vector<float> saved(core.saved_floats(inputs.batch), NAN);
  core.forward(inputs, o.out.data(), saved.data(), test::scratch());
  core.backward(inputs, o.out.data(), saved.data(), dout.data(),
                {o.x.data(), o.q_plain.data(), o.k_plain.data(), o.q.data(), o.k.data(), o.v.data()}, o.parameters,
                test::scratch());
  return o;
}

std::vector<float> part(const std::vector<float>& values, std::size_t first, std::size_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

TEST(HybridReference, OutputAndGradients) {
  const fs::path file = shared_path() / "reference/mixers/hybrid.json";
  LB_SKIP_WITHOUT(file);
  const Json reference = read_json(file), &given = reference["inputs"];
  const Config config = config_of(reference);
  std::vector<float> parameters = floats(given["Wq"]["data"]);
  const std::size_t map = parameters.size();
  for (const float value : floats(given["Wk"]["data"])) parameters.push_back(value);
  // gamma = sigmoid(a) and lambda = 1: window_weight is the log of their ratio.
  std::vector<float> slopes;
  for (const float a : floats(given["a"]["data"])) {
    parameters.push_back(-std::log1p(std::exp(-a)));
    slopes.push_back(1 / (1 + std::exp(a)));
  }
  HybridCore core(config, Precision::f32, {MixerKind::hybrid, reference["w"], 0}, parameters);
  const auto q = floats(given["q"]["data"]), k = floats(given["k"]["data"]), v = floats(given["v"]["data"]);
  const CoreInputs inputs{{1, reference["T"]}, nullptr, nullptr, nullptr, q.data(), k.data(), v.data()};
  Outcome got = run(core, inputs, config, floats(reference["output_gradient"]));
  const Json& gradients = reference["input_gradients"];
  expect_near(got.out, reference["output"]["data"], "output");
  expect_near(got.q, gradients["q"], "dq");
  expect_near(got.k, gradients["k"], "dk");
  expect_near(got.v, gradients["v"], "dv");
  expect_near(part(got.parameters, 0, map), gradients["Wq"], "dWq");
  expect_near(part(got.parameters, map, map), gradients["Wk"], "dWk");
  std::vector<float> da = part(got.parameters, 2 * map, slopes.size());
  for (std::size_t head = 0; head < da.size(); ++head) da[head] *= slopes[head];
  expect_near(da, gradients["a"], "da");
}

TEST(GatedReference, OutputAndGradients) {
  const fs::path file = shared_path() / "reference/mixers/gated.json";
  LB_SKIP_WITHOUT(file);
  const Json reference = read_json(file), &given = reference["inputs"];
  Config config = config_of(reference);
  config.hidden = config.heads;  // the gates' logits are the input themselves, through the identity
  const auto H = static_cast<std::size_t>(config.heads);
  const std::size_t sinks = reference["sinks"];
  std::vector<float> parameters(parameter_count(config, {MixerKind::gated}));
  const GatedParameters<float> own(config, parameters);
  std::ranges::copy(floats(given["Wq"]["data"]), own.q_features.begin());
  std::ranges::copy(floats(given["Wk"]["data"]), own.k_features.begin());
  const auto tau = floats(given["tau"]["data"]);
  for (std::size_t head = 0; head < H; ++head) {
    own.gate[head * H + head] = 1;
    for (std::size_t m = 0; m < gated_sink_logits; ++m)
      own.sinks_of(static_cast<int>(head))[m] = m < sinks ? tau[head * sinks + m] : -1e30F;
    own.linear_scale[head] = 1;
    own.window_scale[head] = given["alpha"]["data"][0];
  }
  GatedCore core(config, Precision::f32, {MixerKind::gated, reference["w"], 0}, parameters);
  const auto q = floats(given["q"]["data"]), k = floats(given["k"]["data"]), v = floats(given["v"]["data"]),
             z = floats(given["z"]["data"]);
  const CoreInputs inputs{{1, reference["T"]}, z.data(), q.data(), k.data(), q.data(), k.data(), v.data()};
  Outcome got = run(core, inputs, config, floats(reference["output_gradient"]));
  for (std::size_t i = 0; i < got.q.size(); ++i) got.q[i] += got.q_plain[i];
  for (std::size_t i = 0; i < got.k.size(); ++i) got.k[i] += got.k_plain[i];
  const Json& gradients = reference["input_gradients"];
  expect_near(got.out, reference["output"]["data"], "output");
  expect_near(got.q, gradients["q"], "dq");
  expect_near(got.k, gradients["k"], "dk");
  expect_near(got.v, gradients["v"], "dv");
  expect_near(got.x, gradients["z"], "dz");
  const GatedParameters<float> slopes(config, got.parameters);
  expect_near({slopes.q_features.begin(), slopes.q_features.end()}, gradients["Wq"], "dWq");
  expect_near({slopes.k_features.begin(), slopes.k_features.end()}, gradients["Wk"], "dWk");
  std::vector<float> dtau;
  float dalpha = 0;
  for (std::size_t head = 0; head < H; ++head) {
    for (std::size_t m = 0; m < sinks; ++m) dtau.push_back(slopes.sinks_of(static_cast<int>(head))[m]);
    dalpha += slopes.window_scale[head];
  }
  expect_near(dtau, gradients["tau"], "dtau");
  expect_near({dalpha}, gradients["alpha"], "dalpha");
}

TEST(DualStateReference, OutputAndGradients) {
  const fs::path file = shared_path() / "reference/mixers/dual_state.json";
  LB_SKIP_WITHOUT(file);
  const Json reference = read_json(file), &given = reference["inputs"];
  Config config = config_of(reference);
  // The gates' logits are the input themselves, through the identity: [z1, z2].
  const auto kv = static_cast<std::size_t>(config.kv_size());
  config.hidden = 2 * config.kv_size();
  const MixerSpec spec = {.kind = MixerKind::dual_state,
                          .variants = static_cast<VariantSet>(DualStateVariant::gates_on_x)};
  std::vector<float> parameters(parameter_count(config, spec));
  const DualStateParameters<float> own(config, spec, parameters);
  for (std::size_t s = 0; s < 2; ++s)
    for (std::size_t i = 0; i < kv; ++i) own.gates[s][(s * kv + i) * kv + i] = 1;
  std::ranges::copy(floats(given["a"]["data"]), own.blend.begin());
  const std::vector<float> z[] = {floats(given["z1"]["data"]), floats(given["z2"]["data"])};
  const int length = reference["T"];
  std::vector<float> x;
  for (int t = 0; t < length; ++t)
    for (const auto& of_state : z)
      x.insert(x.end(), of_state.begin() + std::ssize(of_state) / length * t,
               of_state.begin() + std::ssize(of_state) / length * (t + 1));
  DualStateCore core(config, spec, parameters);
  const auto q = floats(given["q"]["data"]), k = floats(given["k"]["data"]), v = floats(given["v"]["data"]);
  const CoreInputs inputs{{1, length}, x.data(), q.data(), k.data(), nullptr, nullptr, v.data()};
  const Outcome got = run(core, inputs, config, floats(reference["output_gradient"]));
  const Json& gradients = reference["input_gradients"];
  expect_near(got.out, reference["output"]["data"], "output");
  expect_near(got.q_plain, gradients["q"], "dq");
  expect_near(got.k_plain, gradients["k"], "dk");
  expect_near(got.v, gradients["v"], "dv");
  std::vector<float> dz[2];
  for (std::size_t t = 0; t < static_cast<std::size_t>(length); ++t)
    for (std::size_t s = 0; s < 2; ++s)
      for (std::size_t i = 0; i < kv; ++i) dz[s].push_back(got.x[(2 * t + s) * kv + i]);
  expect_near(dz[0], gradients["z1"], "dz1");
  expect_near(dz[1], gradients["z2"], "dz2");
  std::vector<float> slopes = got.parameters;
  const DualStateParameters<float> named(config, spec, slopes);
  expect_near({named.blend.begin(), named.blend.end()}, gradients["a"], "da");
}

struct CoreCase {
  const char* mixer;
  float soft_cap = 0;  // of the model's scores
};
void PrintTo(const CoreCase& core, std::ostream* out) { *out << core.mixer << ", cap " << core.soft_cap; }

class Cores : public testing::TestWithParam<CoreCase> {
 protected:
  /// Random parameters of a layer of the random model.
  MixerParameters random_parameters() const {
    Random random(3);
    std::vector<float> values(parameter_count(model_->config, spec_));
    for (float& x : values) x = static_cast<float>(0.5 * random.normal());
    return {{{layer, spec_.kind}, values}};
  }

  std::vector<float> random_rows(std::ptrdiff_t rows, int size, std::uint64_t seed) const {
    Random random(seed);
    std::vector<float> values(static_cast<std::size_t>(rows * size));
    for (float& x : values) x = static_cast<float>(random.normal());
    return values;
  }

  static constexpr int layer = 1;
  const MixerSpec spec_ = parse_mixer(GetParam().mixer);
  const std::unique_ptr<Model> model_ =
      with_soft_caps(random_model(Precision::f32, spec_.full == 0 ? test::small_config() : config_of_four_kv_heads()),
                     GetParam().soft_cap, 0);
};

TEST_P(Cores, ForwardIsThatOfTheMixer) {
  constexpr int length = 150;
  const Config& config = model_->config;
  const MixerParameters parameters = random_parameters();
  const std::vector<float> hidden = random_rows(length, config.hidden, 1);
  Workspace workspace(model_->rope());
  workspace.rope.grow(length);

  MixerSet mixers(*model_, parameters);
  std::vector<float> expected = hidden;
  CachePools pools;
  LayerCache cache{&pools, {}};
  const MixerSpan span{0, length, 0, &cache};
  mixers.mixer(layer, spec_).forward({expected.data(), {}, {&span, 1}, length}, workspace);

  const AttentionBlock block({*model_, layer});
  std::vector<float> got = hidden, x, q_plain(static_cast<std::size_t>(length * config.q_size())),
                     k_plain(static_cast<std::size_t>(length * config.kv_size())), v_again(k_plain.size());
  const MixerRows rows{got.data(), {}, {&span, 1}, length};
  const Projected projected = block.project(rows, workspace, [&](int, const Activations& normed, const Product& qkv) {
    x.assign(normed.f32(0), normed.f32(0) + length * config.hidden);
    split_qkv(qkv, block.qkv_shape(), nullptr, nullptr, q_plain.data(), k_plain.data(), v_again.data(),
              test::scratch());
  });
  const auto core = make_core(*model_, layer, spec_, parameters);
  std::vector<float> saved(core->saved_floats({1, length}));
  core->forward({{1, length}, x.data(), q_plain.data(), k_plain.data(), projected.q, projected.k, projected.v},
                projected.output, saved.data(), test::scratch());
  block.add_output(rows, projected, workspace);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST_P(Cores, AreTheDefinitionAndItsGradient) {
  constexpr int length = 45;
  const Config& config = model_->config;
  const auto core = make_core(*model_, layer, spec_, random_parameters());
  const CoreBatch batch{1, length};
  const auto x = random_rows(length, config.hidden, 1), q_plain = random_rows(length, config.q_size(), 2),
             k_plain = random_rows(length, config.kv_size(), 3), q = random_rows(length, config.q_size(), 4),
             k = random_rows(length, config.kv_size(), 5), v = random_rows(length, config.kv_size(), 6),
             dout = random_rows(length, config.q_size(), 7);
  const Outcome got =
      run(*core, {batch, x.data(), q_plain.data(), k_plain.data(), q.data(), k.data(), v.data()}, config, dout);

  const auto doubles = [](std::span<const float> values) { return test::Doubles(values.begin(), values.end()); };
  test::DefinitionInputs in{length, doubles(x), doubles(q_plain), doubles(k_plain), doubles(q), doubles(k), doubles(v)};
  test::Doubles parameters = doubles(core->parameters());
  const test::Definition definition(config, spec_, parameters);
  const test::Doubles expected = definition(in);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(got.out[i], expected[i], 1e-5) << i;

  // Directional derivatives: each input moved along random directions by central differences.
  const auto loss = [&] {
    const test::Doubles out = definition(in);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * static_cast<double>(dout[i]);
    return sum;
  };
  const auto check = [&](test::Doubles& values, const std::vector<float>& gradient, const char* what) {
    Random random(9);
    const test::Doubles start = values;
    for (int direction = 0; direction < (values.empty() ? 0 : 3); ++direction) {
      constexpr double step = 1e-6;
      double predicted = 0;
      test::Doubles along;
      for (const float slope : gradient) predicted += static_cast<double>(slope) * along.emplace_back(random.normal());
      const auto moved = [&](double by) {
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = start[i] + by * along[i];
        return loss();
      };
      const double measured = (moved(step) - moved(-step)) / (2 * step);
      EXPECT_NEAR(predicted, measured, 1e-3 * (1 + std::fabs(measured))) << what;
    }
    values = start;
  };
  check(in.x, got.x, "x");
  check(in.q_plain, got.q_plain, "q before RoPE");
  check(in.k_plain, got.k_plain, "k before RoPE");
  check(in.q, got.q, "q");
  check(in.k, got.k, "k");
  check(in.v, got.v, "v");
  check(parameters, got.parameters, "parameters");
}

TEST_P(Cores, ThreadsDontChangeIt) {
  constexpr int length = 130;
  const Config& config = model_->config;
  const CoreBatch batch{3, length};
  const auto core = make_core(*model_, layer, spec_, random_parameters());
  const auto x = random_rows(batch.rows(), config.hidden, 1), q = random_rows(batch.rows(), config.q_size(), 2),
             k = random_rows(batch.rows(), config.kv_size(), 3), v = random_rows(batch.rows(), config.kv_size(), 4);
  const CoreInputs inputs{batch, x.data(), q.data(), k.data(), q.data(), k.data(), v.data()};
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Outcome one = run(*core, inputs, config, q);
  omp_set_num_threads(3);
  const Outcome three = run(*core, inputs, config, q);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(one.x, three.x);
  EXPECT_EQ(one.k, three.k);
  EXPECT_EQ(one.v, three.v);
  EXPECT_EQ(one.parameters, three.parameters);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Cores,
                         testing::ValuesIn(std::vector<CoreCase>{{"softmax"},
                                                                 {"window:16+3"},
                                                                 {"window:16+3/full:1"},
                                                                 {"window:16+3/full:1,2"},
                                                                 {"window:16/full:0,3"},
                                                                 {"hybrid:16+3"},
                                                                 {"hybrid:20"},
                                                                 {"gated:16"},
                                                                 {"dual_state"},
                                                                 {"dual_state:x"},
                                                                 {"dual_state:one+norm"},
                                                                 {"dual_state:x+norm+short"},
                                                                 {"softmax", 0.5F},
                                                                 {"window:16+3/full:1", 0.5F},
                                                                 {"hybrid:16+3", 0.5F},
                                                                 {"gated:16", 0.5F}}));

}  // namespace
}  // namespace layerboost
