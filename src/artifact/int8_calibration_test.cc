#include "artifact/int8_calibration.h"

#include <gtest/gtest.h>

#include <numeric>

#include "mixer/architectures_for_tests.h"

namespace layerboost {
namespace {

class Smoothed : public testing::TestWithParam<std::string> {};

// Factors change what is rounded, not what is computed, wherever a layer's norms are and whatever their weights mean.
TEST_P(Smoothed, ComputesTheSame) {
  const fs::path directory = test::temporary_path("smoothed-" + GetParam());
  const Json entry = test::architecture_case(GetParam());
  test::write_architecture(entry, directory);
  const std::shared_ptr<const Checkpoint> checkpoint = open_checkpoint(directory);
  const std::vector<MixerSpec> specs = native_specs(checkpoint->config());
  const std::vector<TokenId> ids = entry["ids"];
  const auto log_probs = [&](const Model& model) {
    MixerSet mixers(model);
    return token_log_probs(model, mixers.list(specs), ids, 40);
  };
  const auto model = load_model(directory, Precision::f32);
  MixerSet mixers(*model);
  InputRanges ranges = observe_ranges(*model, mixers.list(specs), 2, 32);
  // Channels that stand out, as these small models have none.
  const auto make_rough = [](std::vector<float>& range) {
    for (std::size_t i = 0; i < range.size(); i += 3) range[i] *= 8;
  };
  for (InputRanges::Layer& layer : ranges.layers)
    for (std::vector<float>* const range : {&layer.qkv, &layer.o, &layer.gate_up}) make_rough(*range);
  make_rough(ranges.head);
  const Smoothing smoothing = smoothing_factors(*checkpoint, ranges, 0.5F);
  const std::vector<double> right = log_probs(*model),
                            got = log_probs(*load_model(checkpoint, Precision::int8, &smoothing));
  const double mean = std::accumulate(right.begin() + 1, right.end(), 0.0) / static_cast<double>(ids.size() - 1);
  double difference = 0, spread = 0;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    difference += std::abs(got[i] - right[i]);
    spread += std::abs(right[i] - mean);
  }
  EXPECT_LT(difference, 0.15 * spread);
  fs::remove_all(directory);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Smoothed, testing::ValuesIn(test::architecture_names()), test::architecture_in_letters);

}  // namespace
}  // namespace layerboost
