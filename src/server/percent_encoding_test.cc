#include "server/percent_encoding.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(PercentEncoding, IsDecoded) {
  EXPECT_EQ(percent_decoded("/v1/models/org%2Fmodel"), "/v1/models/org/model");
  EXPECT_EQ(percent_decoded("my%20model%c3%A9"), "my model\xc3\xa9");
  EXPECT_EQ(percent_decoded(""), "");
}

TEST(PercentEncoding, WhatIsNoCodeStays) {
  EXPECT_EQ(percent_decoded("100%"), "100%");
  EXPECT_EQ(percent_decoded("%2"), "%2");
  EXPECT_EQ(percent_decoded("%-1%zz%2g"), "%-1%zz%2g");
}

}  // namespace
}  // namespace layerboost
