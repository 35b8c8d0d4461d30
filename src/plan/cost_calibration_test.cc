#include "plan/cost_calibration.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

class CostCalibrationTest : public testing::Test {
 protected:
  CostCalibrationTest() {
    fs::remove_all(cache_);
    setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
  }
  ~CostCalibrationTest() override {
    if (before_.empty())
      unsetenv("XDG_CACHE_HOME");
    else
      setenv("XDG_CACHE_HOME", before_.c_str(), 1);
    fs::remove_all(cache_);
  }

  const std::string before_ = std::getenv("XDG_CACHE_HOME") != nullptr ? std::getenv("XDG_CACHE_HOME") : "";
  const fs::path cache_ = test::temporary_path("cost_calibration_test");
};

TEST_F(CostCalibrationTest, KeepsTimesByKey) {
  const CostKey key = cost_key("sha256:m", Precision::bf16);
  EXPECT_FALSE(read_cost(key));
  write_cost(key, {{1, 2, 0},
                   {{"softmax", {3, 4, 5}},
                    {"window", {6, 7, 8}},
                    {"hybrid", {11, 12, 13}},
                    {"gated", {14, 15, 16}},
                    {"dual_state", {17, 18, 0}},
                    {"map", {9, 10, 0}}}});
  const auto read = read_cost(key);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rest.row, 2);
  EXPECT_EQ(read->mixers.at("softmax").position, 5);
  EXPECT_EQ(read->mixers.at("window").fixed, 6);
  EXPECT_EQ(read->mixers.at("hybrid").row, 12);
  EXPECT_EQ(read->mixers.at("gated").position, 16);
  EXPECT_EQ(read->mixers.at("dual_state").fixed, 17);
  EXPECT_EQ(read->mixers.at("map").row, 10);
  EXPECT_FALSE(read_cost(cost_key("sha256:other", Precision::bf16)));
  EXPECT_FALSE(read_cost(cost_key("sha256:m", Precision::int8)));

  Json changed = read_json(cost_file(key));
  changed["rest"]["row"] = 3;
  write_json(cost_file(key), changed);
  EXPECT_FALSE(read_cost(key));
  write_file(cost_file(key), "{\"version\": 2");
  EXPECT_FALSE(read_cost(key));
}

TEST_F(CostCalibrationTest, MeasuresAModel) {
  const fs::path path = LAYERBOOST_SOURCE_DIR "/../shared/reference/tiny/llama";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto model = load_model(path, Precision::f32);
  model->config.rope.longest_short = 2;  // whatever is measured becomes a long text on the way
  const CostModel cost = measure_cost(*model, {{1, 4}, {16, 48}, {4, 8}, 3});
  const MixerSpec softmax = {}, window = {MixerKind::window, 64, 4}, none = {MixerKind::none, 0, 0};
  EXPECT_GT(cost.rest.seconds(1, 0), 0);
  EXPECT_GT(cost.mixer_seconds(softmax, 64, 1024), 0);
  EXPECT_GT(cost.mixer_seconds(window, 64, 1024), 0);
  EXPECT_EQ(cost.mixer_seconds(none, 64, 1024), 0);
}

}  // namespace
}  // namespace layerboost
