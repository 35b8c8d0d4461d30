#include "artifact/analysis_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

class AnalysisFileTest : public testing::Test {
 protected:
  AnalysisFileTest() : path_(test::temporary_path("analysis_file_test.json")) {}
  ~AnalysisFileTest() override { fs::remove(path_); }

  std::string message_after(const std::string& from, const std::string& to) {
    std::string text = text_;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    write_file(path_, text);
    const std::string message = test::error_of([&] { read_analysis(path_); });
    EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr(path_.string())));
    return message;
  }

  fs::path path_;
  std::string text_;
};

TEST_F(AnalysisFileTest, ReadsBackWhatItWrote) {
  Analysis analysis = random_analysis(3, 1);
  analysis.run = {{"seed", 7}};
  analysis.model.path = "/models/a.gguf";
  analysis.model.config.windows = {0, 128, 0};
  analysis.data = {"self", "sha256:d", 16, 1024, 16384, 512, 20, {"piqa"}};
  analysis.base["nll"] = {2.5, 0.02, {}};
  analysis.layers[1].cosine = Measured{0.3, 0.01, {}};
  analysis.layers[1].entropy = Measured{-2.3, 0.01, {}};
  analysis.layers[2].choices[none_spec]["kl"].differences = {0.5, 0.25};
  analysis.rank_correlation = {{"none", "kl", "retrieval", 0.9}};
  analysis.maps = {"a.maps.safetensors", "sha256:x"};
  write_analysis(path_, analysis);
  const Analysis read = read_analysis(path_);
  EXPECT_EQ(read.run, analysis.run);
  EXPECT_EQ(read.model.path, analysis.model.path);
  EXPECT_EQ(read.model.config.windows, analysis.model.config.windows);
  EXPECT_EQ(read.data.retrieval_items, 20);
  EXPECT_EQ(read.data.tasks, analysis.data.tasks);
  EXPECT_EQ(read.choices, analysis.choices);
  EXPECT_EQ(read.measures, analysis.measures);
  EXPECT_TRUE(read.complete());
  EXPECT_EQ(read.layers.at(1).entropy->mean, -2.3);
  EXPECT_FALSE(read.layers.at(0).cosine);
  EXPECT_EQ(read.layers.at(2).choices.at(none_spec).at("kl").differences, (std::vector<double>{0.5, 0.25}));
  EXPECT_NEAR(read.layers.at(0).choices.at(window64).at("kl").mean,
              analysis.layers.at(0).choices.at(window64).at("kl").mean, 1e-7);
  EXPECT_EQ(read.rank_correlation.at(0).spearman, 0.9);
  EXPECT_EQ(read.maps->hash, "sha256:x");
}

TEST_F(AnalysisFileTest, HoldsAnUnfinishedAnalysis) {
  Analysis analysis = random_analysis(3, 1);
  analysis.layers.erase(1);
  write_analysis(path_, analysis);
  EXPECT_FALSE(read_analysis(path_).complete());
  analysis.layers.clear();
  write_analysis(path_, analysis);
  EXPECT_TRUE(read_analysis(path_).layers.empty());
}

TEST_F(AnalysisFileTest, RefusesWhatItDoesNotKnow) {
  write_analysis(path_, random_analysis(3, 1));
  text_ = read_file(path_);
  EXPECT_THAT(message_after("layerboost-analysis", "x"), HasSubstr("expected \"layerboost-analysis\""));
  EXPECT_THAT(message_after("\"version\": 1", "\"version\": 2"), HasSubstr("reads version 1"));
  EXPECT_THAT(message_after("\"hidden\"", "\"hiden\""), HasSubstr("unknown key \"hiden\""));
  EXPECT_THAT(message_after("\"layers\": 3", "\"layers\": -3"), HasSubstr("must be from 1"));
  EXPECT_THAT(message_after("\"layer\": 2", "\"layer\": 3"), HasSubstr("layer 3 is out of range"));
  EXPECT_THAT(message_after("\"layer\": 2", "\"layer\": 1"), HasSubstr("layer 1 is there twice"));
  EXPECT_THAT(message_after("\"none\": {", "\"window:9\": {"), HasSubstr("\"window:9\" is not among"));
  EXPECT_THAT(message_after("\"kl\": {", "\"lk\": {"), HasSubstr("unknown key \"lk\""));
  EXPECT_THAT(message_after("\"mean\": ", "\"mean\": \"a\", \"x\": "), HasSubstr("unknown key \"x\""));
  EXPECT_THAT(message_after("[\"none\"", "[\"nothing\""), HasSubstr("unknown mixer \"nothing\""));
}

}  // namespace
}  // namespace layerboost
