#include "app/ladder_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;
using testing::Not;

Ladder ladder_to_draw() {
  Ladder ladder;
  ladder.level_0.assign(8, softmax_spec);
  ladder.level_0[7] = none_spec;
  ladder.rungs = {{2, window256}, {0, window64}, {2, window64}};
  ladder.quality.resize(4);
  return ladder;
}

LevelQuality quality_to_draw(double ratio) {
  LevelQuality quality;
  quality.kl = ratio - 1;
  quality.perplexity_ratio = ratio;
  quality.kv_fraction = 0.5;
  return quality;
}

TEST(LadderTable, HasALineForEachLevel) {
  EXPECT_EQ(draw_ladder(ladder_to_draw(), false),
            "level  rung                     layers\n"
            "    0                           SSSSSSS.\n"
            "    1  layer 2 -> window:256+4  SSWSSSS.\n"
            "    2  layer 0 -> window:64+4   wSWSSSS.\n"
            "    3  layer 2 -> window:64+4   wSwSSSS.\n"
            "\n"
            "    S  softmax\n"
            "    w  window:64+4\n"
            "    W  window:256+4\n"
            "    .  none\n");
}

TEST(LadderTable, HasColumnsOfWhatWasMeasured) {
  Ladder ladder = ladder_to_draw();
  ladder.quality[1] = quality_to_draw(1.25);
  std::string text = draw_ladder(ladder, false);
  EXPECT_THAT(text, HasSubstr("SSWSSSS.       50 %   x 1.2500     0.2500\n"));
  EXPECT_THAT(text, HasSubstr("wSWSSSS.\n"));  // nothing is known of it
  EXPECT_THAT(text, Not(HasSubstr("facts")));
  ladder.quality[1]->retrieval = {{1024, 0.75, 0.9, 0.1}};
  ladder.quality[2] = quality_to_draw(1.5);
  ladder.quality[2]->speedup = 1.25;
  ladder.quality[2]->decode_speed = 1234;
  text = draw_ladder(ladder, false);
  EXPECT_THAT(text, HasSubstr("KL facts/1024      speed   tokens/s\n"));
  EXPECT_THAT(text, HasSubstr("0.2500       75 %\n"));
  EXPECT_THAT(text, HasSubstr("0.5000                x 1.25       1234\n"));
}

TEST(LadderTable, SaysWhatItWasMeasuredOn) {
  Ladder ladder = ladder_to_draw();
  EXPECT_EQ(describe_measured(ladder), "");
  ladder.measured_on = {{"text", "self"}, {"windows", 16}, {"window", 1024}, {"retrieval", {512, 1024}}};
  EXPECT_THAT(describe_measured(ladder), HasSubstr("on text that the model wrote, 16 windows of 1024 tokens; facts in "
                                                   "texts of 512 and 1024 tokens"));
}

TEST(LadderTable, LeavesOutTheStripOfManyLayers) {
  Ladder ladder = ladder_to_draw();
  ladder.level_0.resize(65, softmax_spec);
  EXPECT_THAT(draw_ladder(ladder, true), HasSubstr("    3  layer 2 -> window:64+4\n"));
}

}  // namespace
}  // namespace layerboost
