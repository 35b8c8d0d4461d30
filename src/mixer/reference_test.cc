// The forward pass against numbers from independent implementations.
#include <algorithm>
#include <cmath>

#include "kernels/bf16.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// f32 arithmetic agrees within this on each log-probability (reference/README.md).
constexpr double reference_tolerance = 1e-3;

struct Reference {
  std::vector<TokenId> ids;
  std::vector<double> log_probs;  // [ids.size()], the first unused
  std::vector<TokenId> greedy;
};

void expect_matches(const Model& model, const Reference& reference, const std::string& what) {
  MixerSet mixers(model);
  const MixerList& list = mixers.list(native_specs(model.config));
  const auto got = token_log_probs(model, list, reference.ids, 1 << 20);
  for (std::size_t i = 1; i < reference.ids.size(); ++i)
    EXPECT_NEAR(got[i], reference.log_probs[i], reference_tolerance) << what << " token " << i;
  EXPECT_EQ(greedy(model, list, reference.ids, static_cast<int>(reference.greedy.size())), reference.greedy) << what;
}

TEST(Reference, DefaultModelLogits) {
  const fs::path file = shared_path() / "reference/logits.smollm2.json";
  LB_SKIP_WITHOUT(file);
  LB_NEEDS_DEFAULT_MODEL();
  const auto model = load_model(default_model_path(), Precision::f32);
  for (const Json& entry : read_json(file)) {
    Reference reference{entry["ids"], {0}, entry["greedy48"]};
    for (std::size_t i = 1; i < reference.ids.size(); ++i) reference.log_probs.push_back(entry["token_logprobs"][i]);
    expect_matches(*model, reference, entry["prompt"].get<std::string>().substr(0, 30));
  }
}

/// The tiny models were made in bf16 before they ran in float32, and that rounded their RoPE frequencies, which are no
/// weights and not in their files. (The default model's reference was made with exact ones.)
void round_frequencies_to_bf16(Model& model) {
  RopeConfig& rope = model.config.rope;
  for (const double frequency : rope.frequencies(model.config.head_size))
    rope.divisors.push_back(frequency / static_cast<double>(from_bf16(to_bf16(static_cast<float>(frequency)))));
}

class TinyReference : public testing::TestWithParam<const char*> {};

TEST_P(TinyReference, MatchesTransformers) {
  const fs::path directory = shared_path() / "reference/tiny" / GetParam();
  LB_SKIP_WITHOUT(directory);
  const auto model = load_model(directory, Precision::f32);
  round_frequencies_to_bf16(*model);
  const Json expected = read_json(directory / "expected.json");
  Reference reference{expected["ids"], {0}, expected["greedy16"]};
  for (const double value : expected["token_logprobs"]) reference.log_probs.push_back(value);
  reference.log_probs.resize(reference.ids.size());
  expect_matches(*model, reference, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Models, TinyReference, testing::Values("llama", "qwen2", "qwen3", "mistral"));

}  // namespace
}  // namespace layerboost
