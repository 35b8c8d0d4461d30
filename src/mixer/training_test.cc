// The training cores against reference vectors made in double by an independent implementation.
#include "mixer/training.h"

#include <vector>

#include "mixer/attention_core.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

constexpr double tolerance = 2e-5;

std::vector<float> floats(const Json& json) { return json.get<std::vector<float>>(); }

void expect_near(const std::vector<float>& got, const Json& expected, const std::string& what) {
  const auto values = expected.get<std::vector<double>>();
  ASSERT_EQ(got.size(), values.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], values[i], tolerance * (1 + std::fabs(values[i]))) << what << " " << i;
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
  core.forward(inputs, out.data(), saved.data());
  expect_near(out, reference["output"]["data"], "output");

  const auto dout = floats(reference["output_gradient"]);
  std::vector<float> dq(q.size()), dk(k.size()), dv(v.size());
  core.backward(inputs, out.data(), saved.data(), dout.data(),
                {nullptr, nullptr, nullptr, dq.data(), dk.data(), dv.data()}, {});
  const Json& gradients = reference["input_gradients"];
  expect_near(dq, gradients["q"], "dq");
  expect_near(dk, gradients["k"], "dk");
  expect_near(dv, gradients["v"], "dv");
}

INSTANTIATE_TEST_SUITE_P(Files, AttentionReference, testing::Values("softmax.json", "window.json"));

}  // namespace
}  // namespace layerboost
