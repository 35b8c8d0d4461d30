#include "app/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"

namespace layerboost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> written(const AnalyzeOptions& options, int kv_heads) {
  Config config;
  config.kv_heads = kv_heads;
  config.max_positions = 2048;
  std::vector<std::string> choices;
  for (const MixerSpec& choice : choices_of(options, config)) choices.push_back(to_string(choice));
  return choices;
}

TEST(AnalysisChoices, AreWhatWordsAndWidthsNameTogether) {
  AnalyzeOptions options;
  options.to = {"none", "window", "gated"};
  EXPECT_THAT(written(options, 3), ElementsAre("window:64+4", "window:256+4", "gated:64", "gated:256", "none"));
}

TEST(AnalysisChoices, ByHeadAreWindowsInOneHeadToo) {
  AnalyzeOptions options;
  options.to = {"none", "window", "gated"};
  options.windows = {64};
  options.heads = true;
  EXPECT_THAT(written(options, 3), ElementsAre("window:64+4", "window:64+4/full:0,1", "window:64+4/full:0,2",
                                               "window:64+4/full:1,2", "gated:64", "none"));
  EXPECT_THAT(test::error_of([&] { written(options, 1); }), HasSubstr("`heads`: the model has a single KV head"));
  EXPECT_THAT(test::error_of([&] { written(options, 65); }), HasSubstr("the model has 65 KV heads; at most 64"));
  options.windows = {4096};  // wider than all positions
  EXPECT_THAT(written(options, 3), ElementsAre("window:4096+4", "gated:4096", "none"));
  options.to = {"none", "gated"};
  EXPECT_THAT(test::error_of([&] { check_analyze_options(options); }), HasSubstr("`heads` is for `to` window"));
}

}  // namespace
}  // namespace layerboost
