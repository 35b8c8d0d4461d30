#include "cli/common.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

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

TEST(Context, IsNotedWhereNoTextIsSoLong) {
  Config config;
  config.max_positions = 64;
  const auto noted = [&](int context) {
    testing::internal::CaptureStderr();
    note_context(config, context);
    return testing::internal::GetCapturedStderr();
  };
  for (const int context : {0, 64}) EXPECT_EQ(noted(context), "");
  EXPECT_THAT(noted(65), HasSubstr("--context 65: the model reads texts of up to 64 tokens, and no longer ones"));
  config.rope.scaling = RopeConfig::Scaling::dynamic;
  config.rope.longest_short = 64;
  for (const int context : {0, 64, 65, config.longest_text()}) EXPECT_EQ(noted(context), "");
  EXPECT_THAT(noted(1 << 30), HasSubstr(fmt::format("texts of up to {} tokens", config.longest_text())));
}

TEST(CommonOptions, AreChecked) {
  EXPECT_THROW(parse({"--precision", "fp16"}), CLI::ParseError);
  EXPECT_THROW(parse({"--seed", "-1"}), CLI::ParseError);
  EXPECT_THROW(start_run(parse({"--threads", "5000"})), Error);
}

TEST(SamplingFlags, GoBeforeTheModelsOwn) {
  Config config;
  config.vocab = 100;
  config.sampling.temperature = 0.25;
  config.sampling.top_k = 5;
  const Sampling otherwise{.temperature = 0.7, .top_p = 0.95};
  const auto sampling = [&](std::vector<std::string> arguments) {
    CLI::App app;
    SamplingFlags flags;
    add_sampling_options(app, flags, otherwise);
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
    return sampling_of(flags, config, otherwise);
  };
  EXPECT_EQ(sampling({}).temperature, 0.25);
  EXPECT_EQ(sampling({}).top_p, 0.95);
  EXPECT_EQ(sampling({"--temperature", "1", "--top-p", "0.5"}).temperature, 1);
  EXPECT_EQ(sampling({"--temperature", "1", "--top-p", "0.5"}).top_p, 0.5);
  EXPECT_EQ(sampling({"--temperature", "1", "--top-p", "0.5"}).top_k, 5);
  EXPECT_EQ(sampling({"--generation-config", "none"}).temperature, 0.7);
  EXPECT_EQ(sampling({"--generation-config", "none", "--top-k", "3"}).top_k, 3);
  EXPECT_THROW(sampling({"--temperature", "-1"}), Error);
}

}  // namespace
}  // namespace layerboost
