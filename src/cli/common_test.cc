#include "cli/common.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/cpu.h"

namespace layerboost {
namespace {

CommonOptions parse(std::vector<std::string> arguments) {
  CLI::App app;
  CommonOptions options;
  add_common_options(app, options);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  app.parse(arguments);
  return options;
}

TEST(CommonOptions, HaveDefaults) {
  const CommonOptions options = parse({});
  EXPECT_EQ(options.json, "");
  EXPECT_EQ(options.threads, 0);
  EXPECT_EQ(options.precision, Precision::bf16);
  EXPECT_EQ(options.seed, 0U);
  EXPECT_EQ(start_run(options).threads, default_threads());
}

TEST(CommonOptions, ReachTheRunObject) {
  const RunInfo run = start_run(parse({"--threads", "3", "--precision", "int8", "--seed", "18446744073709551615"}));
  EXPECT_EQ(run.threads, 3);
  EXPECT_EQ(run.precision, "int8");
  EXPECT_EQ(run.seed, 18446744073709551615U);
}

TEST(CommonOptions, AreChecked) {
  EXPECT_THROW(parse({"--precision", "fp16"}), CLI::ParseError);
  EXPECT_THROW(parse({"--seed", "-1"}), CLI::ParseError);
  EXPECT_THROW(start_run(parse({"--threads", "5000"})), Error);
}

}  // namespace
}  // namespace layerboost
