#include "app/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"
#include "mixer/model_for_tests.h"

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

TEST(Analysis, OneThatIsOnlyShownIsEstimatedWhereItCanBeUnlessItHasBegunOtherwise) {
  const auto model = random_model(Precision::bf16);
  const fs::path file = test::temporary_path("analysis.json");
  AnalyzeOptions options;
  options.length = 32;
  EXPECT_TRUE(estimates_to_show(*model, options, ""));
  EXPECT_TRUE(estimates_to_show(*model, options, file));
  EXPECT_FALSE(estimates_to_show(*random_model(Precision::int8), options, file));
  const int ffn = std::exchange(model->config.ffn, 100);
  EXPECT_FALSE(estimates_to_show(*model, options, file)) << "sizes that there are no gradients of";
  model->config.ffn = ffn;
  options.length = 1 << 30;
  EXPECT_FALSE(estimates_to_show(*model, options, file)) << "more memory than there is";
  options.length = 32;
  for (const bool estimated : {false, true}) {
    Analysis begun;
    begun.model.config = model->config;
    begun.data.estimated = estimated;
    write_analysis(file, begun);
    EXPECT_EQ(estimates_to_show(*model, options, file), estimated);
  }
  write_file(file, "{");
  EXPECT_FALSE(estimates_to_show(*model, options, file));
  options.by_gradients = true;
  EXPECT_TRUE(estimates_to_show(*model, options, file));
  fs::remove(file);
}

TEST(Analysis, WithoutGradientsNothingIsEstimated) {
  OpenedModel opened;
  opened.model = random_model(Precision::int8);
  AnalyzeOptions options;
  options.by = {"kl"};
  options.by_gradients = true;
  EXPECT_THAT(test::error_of([&] { run_analysis(opened, options, 0, test::temporary_path("analysis.json"), {}); }),
              HasSubstr("`by-gradients`: there are gradients in bf16 and f32"));
}

}  // namespace
}  // namespace layerboost
