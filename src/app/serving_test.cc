#include "app/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/file.h"

namespace layerboost {
namespace {

/// A ladder of four rungs whose level n has a perplexity of 1 + n/100, without a model.
Served served_for_tests() {
  Served served;
  Ladder& ladder = served.ladder.emplace();
  ladder.level_0.resize(4);
  for (int n = 0; n <= 4; ++n) {
    if (n > 0) ladder.rungs.push_back({n - 1, parse_mixer("window:16+3")});
    ladder.quality.emplace_back().emplace().perplexity_ratio = 1 + 0.01 * n;
    served.plans.push_back(nullptr);
    served.hashes.push_back("plan " + std::to_string(n));
  }
  return served;
}

TEST(Serving, NoRequestGetsALevelThatLosesMoreThanTheLimit) {
  for (const char* mode : {"auto", "per-request", "off", "fixed:1"}) {
    Served served = served_for_tests();
    const ServedLevels levels = limit_levels(served, parse_levels(mode), parse_quality_limits("1.021"));
    EXPECT_EQ(served.plans.size(), 3U) << mode;
    EXPECT_LE(levels.options.cap, 2) << mode;
    EXPECT_TRUE(levels.limited) << mode;
  }
}

TEST(Serving, WithoutALimitOnlyLoadIsLimited) {
  Served served = served_for_tests();
  served.ladder->quality[4]->perplexity_ratio = 1.2;
  EXPECT_EQ(limit_levels(served, parse_levels("auto"), {}).options.cap, 3);
  EXPECT_EQ(served.plans.size(), 4U);
  served = served_for_tests();
  served.ladder->quality[4]->perplexity_ratio = 1.2;
  EXPECT_FALSE(limit_levels(served, parse_levels("fixed:4"), {}).limited);
  EXPECT_EQ(served.plans.size(), 5U);
}

TEST(Serving, AFixedLevelBeyondTheLimitIsRefused) {
  Served served = served_for_tests();
  EXPECT_THAT(test::error_of([&] { limit_levels(served, parse_levels("fixed:3"), parse_quality_limits("1.021")); }),
              testing::HasSubstr("fixed:3: only levels 0 to 2 keep the limit of quality (perplexity 1.021 times)"));
}

TEST(Serving, FiguresOfAnotherPrecisionAreCalledThat) {
  Served served = served_for_tests();
  ComputeOptions compute;
  compute.precision = Precision::int8;
  EXPECT_EQ(measured_otherwise(served, compute), "") << "nobody says how they were measured";
  served.ladder->measured_on["precision"] = "bf16";
  EXPECT_EQ(measured_otherwise(served, compute), "what levels lose was measured in bf16, and they are served in int8");
  compute.kv = KvType::int8;
  EXPECT_EQ(measured_otherwise(served, compute),
            "what levels lose was measured in bf16, and they are served in int8 with caches in int8");
  compute = {};
  EXPECT_EQ(measured_otherwise(served, compute), "");
}

TEST(Serving, ModelsAreCalledByTheirFiles) {
  EXPECT_EQ(served_name("models/smollm2-135m.gguf"), "smollm2-135m");
  EXPECT_EQ(served_name("models/llama-70b-00002-of-00005.gguf"), "llama-70b");
  EXPECT_EQ(served_name("models/healed/"), "healed");
  EXPECT_EQ(served_name("smollm2-135m"), "smollm2-135m");
  EXPECT_EQ(served_name("."), fs::current_path().filename().string());
}

}  // namespace
}  // namespace layerboost
