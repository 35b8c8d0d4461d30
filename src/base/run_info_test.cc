#include "base/run_info.h"

#include <gtest/gtest.h>

#include "layerboost/version.h"

namespace layerboost {
namespace {

TEST(RunInfo, HoldsWhatTheResultWasMadeWith) {
  const char* const argv[] = {"/usr/bin/layerboost", "eval", "my model", "--seed", "7", "it's"};
  set_command_line(6, argv);
  RunInfo info;
  info.model = "sha256:ab";
  info.precision = "bf16";
  info.threads = 2;
  info.seed = 18446744073709551615U;
  const Json json = info.to_json();
  EXPECT_EQ(json.at("command"), "layerboost eval 'my model' --seed 7 'it'\\''s'");
  EXPECT_EQ(json.at("version"), LAYERBOOST_VERSION);
  EXPECT_EQ(json.at("model"), "sha256:ab");
  EXPECT_TRUE(json.at("plan").is_null());
  EXPECT_EQ(json.at("threads"), 2);
  EXPECT_EQ(json.at("seed"), 18446744073709551615U);
  EXPECT_FALSE(json.at("cpu").get<std::string>().empty());
  EXPECT_GE(json.at("seconds").get<double>(), 0);
}

}  // namespace
}  // namespace layerboost
