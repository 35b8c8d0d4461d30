#include "app/plan_strip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(PlanStrip, DrawsACellForEachLayerAndALegend) {
  EXPECT_EQ(draw_plan({softmax_spec, window64, window64, window256, map_spec, none_spec, softmax_spec}, false),
            "    0  SwwWM.S\n"
            "\n"
            "    S  softmax          2  0 6\n"
            "    w  window:64+4      2  1-2\n"
            "    W  window:256+4     1  3\n"
            "    M  map              1  4\n"
            "    .  none             1  5\n");
}

TEST(PlanStrip, BreaksLinesAndNumbersWidths) {
  std::vector<MixerSpec> specs(45, softmax_spec);
  specs[41] = {MixerKind::window, 16, 0};
  specs[42] = window64;
  specs[43] = window256;
  const std::string text = draw_plan(specs, false);
  EXPECT_THAT(text, HasSubstr("\n   40  S123S\n"));
  EXPECT_THAT(text, HasSubstr("2  window:64+4      1  42\n"));
}

TEST(PlanStrip, TellsHybridAndGated) {
  const std::vector<MixerSpec> specs = {parse_mixer("hybrid:64"), parse_mixer("hybrid:128"), parse_mixer("gated:64"),
                                        window64};
  EXPECT_THAT(draw_plan(specs, false), HasSubstr("    0  hHGW\n"));
}

TEST(PlanStrip, ColoursKinds) { EXPECT_THAT(draw_plan({window64}, true), HasSubstr("\033[30;46mW\033[0m\n")); }

}  // namespace
}  // namespace layerboost
