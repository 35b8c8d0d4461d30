#include "server/request_log.h"

#include <gtest/gtest.h>

#include "server/request_id.h"

namespace layerboost {
namespace {

TEST(RequestLog, OneLineWithWhatThereIs) {
  RequestRecord record{"abc", "POST", "/v1/completions", 200, 0.9304, {}};
  record.figures = {.queued = 0.0011, .first_token = 0.12, .prompt_tokens = 12, .generated_tokens = 16};
  EXPECT_EQ(request_line(record, 0),
            "request time=1970-01-01T00:00:00Z id=abc method=POST path=/v1/completions status=200 queued_s=0.001 "
            "first_token_s=0.120 total_s=0.930 prompt_tokens=12 generated_tokens=16");
  EXPECT_EQ(request_line({"", "", "", 400, 0, {}}, 0),
            "request time=1970-01-01T00:00:00Z id=- method=- path=- status=400 queued_s=- first_token_s=- "
            "total_s=0.000 prompt_tokens=- generated_tokens=-");
}

TEST(RequestLog, LevelsWhereThereAreSome) {
  RequestRecord record{"abc", "POST", "/v1/completions", 200, 0.9304, {}};
  EXPECT_TRUE(request_line(record, 0, true).ends_with(" generated_tokens=- first_level=- level=-"));
  record.figures.levels = LevelSpan{0, 12};
  EXPECT_TRUE(request_line(record, 0, true).ends_with(" generated_tokens=- first_level=0 level=12"));
}

TEST(RequestLog, WhatClientsChooseIsPrintableAndBounded) {
  const std::string line =
      request_line({"x", "GET", "/a\nrequest id=\x1b[31m\xc3\xa9 \"" + std::string(100000, 'a'), 404, 0, {}}, 0);
  EXPECT_NE(line.find("path=/a%0Arequest%20id=%1B[31m%C3%A9%20%22aaa"), std::string::npos);
  EXPECT_LT(line.size(), 500U);
}

TEST(RequestId, IsTheClientsWhereThatCanBe) {
  EXPECT_EQ(request_id("trace-1/2:3"), "trace-1/2:3");
  EXPECT_EQ(request_id(std::string(128, 'x')), std::string(128, 'x'));
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\x1b"), std::string("\xc3\xa9"),
                                 std::string("a\"b"), std::string(129, 'x')}) {
    EXPECT_EQ(request_id(bad).size(), 32U);
    EXPECT_NE(request_id(bad), request_id(bad));
  }
}

}  // namespace
}  // namespace layerboost
