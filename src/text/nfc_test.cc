#include "text/nfc.h"

#include <gtest/gtest.h>

#include <string>

namespace layerboost {
namespace {

TEST(Nfc, ComposesOrdersAndKeepsExclusions) {
  EXPECT_EQ(to_nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(to_nfc("q\u0307\u0323"), "q\u0323\u0307");                // ordered by combining class
  EXPECT_EQ(to_nfc("\u1E0B\u0323"), "\u1E0D\u0307");                  // re-composed after ordering
  EXPECT_EQ(to_nfc("\u1100\u1161\u11A8"), "\uAC01");                  // Hangul
  EXPECT_EQ(to_nfc("\u212B"), "\u00C5");                              // singleton
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");                        // composition exclusion
  EXPECT_EQ(to_nfc("\u0344"), "\u0308\u0301");                        // non-starter decomposition
  EXPECT_EQ(to_nfc("a\u05B0\u0591b\u0301"), "a\u05B0\u0591b\u0301");  // nothing composes
  EXPECT_EQ(to_nfc(std::string("a\0e\u0301", 5)), std::string("a\0\u00E9", 4));
  EXPECT_EQ(to_nfc(""), "");
}

TEST(Nfc, QuickCheckIsFalseOnlyBelowU0300) {
  EXPECT_FALSE(may_change_under_nfc("plain na\u00EFve \u02FF"));
  EXPECT_TRUE(may_change_under_nfc("e\u0301"));
  EXPECT_TRUE(may_change_under_nfc("\u0300"));
}

TEST(Nfc, LongRunsOfMarksAreSortedStably) {  // a sort by exchanging neighbours would take minutes
  std::string mixed = "x", above, below;
  for (int i = 0; i < 300'000; ++i) {
    mixed += i % 3 == 0 ? "\u0307\u0323" : "\u0308\u0331";
    above += i % 3 == 0 ? "\u0307" : "\u0308";
    below += i % 3 == 0 ? "\u0323" : "\u0331";
  }
  EXPECT_TRUE(to_nfc(mixed) == "\u1E8B" + below + above.substr(2));  // x and the first dot above make one character
}

}  // namespace
}  // namespace layerboost
