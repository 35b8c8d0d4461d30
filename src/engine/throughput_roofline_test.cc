#include "engine/throughput_roofline.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class CacheTraffic : public ::testing::Test {
 protected:
  static constexpr int length = 100;
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};

  /// What a decode step moves of a sequence beyond what the plan keeps of it, all of which it reads.
  std::size_t written(const std::vector<const char*>& plan) {
    const MixerList& mixers = mixers_.list(specs(plan));
    std::size_t kept = 0;
    for (const Mixer* mixer : mixers) kept += mixer->cache_bytes(length);
    EXPECT_GT(kept, 0U);
    return decode_cache_traffic(mixers, length) - kept;
  }
  [[nodiscard]] std::size_t law(const char* mixer) const {
    return kv_bytes(model_->config, parse_mixer(mixer), length, 2);
  }
};

TEST_F(CacheTraffic, KeysAndValuesAreOnlyRead) { EXPECT_EQ(written({"softmax", "window:16+3", "none", "map"}), 0U); }

TEST_F(CacheTraffic, StatesAreWrittenBack) {
  EXPECT_GT(law("dual_state"), 0U);
  EXPECT_EQ(written({"dual_state", "none", "dual_state", "softmax"}), 2 * law("dual_state"));
  EXPECT_EQ(written({"hybrid:16+3", "gated:20", "none", "none"}),
            law("hybrid:16+3") - law("window:16+3") + law("gated:20") - law("window:20"));
}

TEST_F(CacheTraffic, StatesThatAreNotThereYetAreNot) {
  EXPECT_EQ(written({"hybrid:99+1", "none", "none", "none"}), 0U);
}

}  // namespace
}  // namespace layerboost
