#include "net/arrival_trace.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

const std::string trace_head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::string refusal(const std::string& text) {
  return test::error_of([&] { parse_trace(text, "t.csv"); });
}

TEST(ArrivalTrace, TimesCountFromTheFirstRequest) {
  const std::vector<TracedRequest> trace = parse_trace(trace_head +
                                                           "2023-11-16 23:59:58.6805900,374,44\n"
                                                           "2023-11-16 23:59:58.6805901,1,1\n"
                                                           "2023-11-17 00:00:01,879,55\n"
                                                           "2023-11-18 00:00:01.5+00:00,7433,16777216\n",
                                                       "t.csv");
  ASSERT_EQ(trace.size(), 4U);
  EXPECT_EQ(trace[0].time, 0);
  EXPECT_EQ(trace[0].prompt, 374);
  EXPECT_EQ(trace[0].generated, 44);
  EXPECT_DOUBLE_EQ(trace[1].time, 1e-7);
  EXPECT_DOUBLE_EQ(trace[2].time, 2.31941);
  EXPECT_DOUBLE_EQ(trace[3].time, 86402.81941);
  EXPECT_EQ(trace[3].prompt, 7433);
  EXPECT_EQ(trace[3].generated, 1 << 24);
}

TEST(ArrivalTrace, LinesMayEndAsOnWindowsAndTheLastOneNotAtAll) {
  const std::string text =
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 "
      "18:15:50.9951690,396,109";
  const std::vector<TracedRequest> trace = parse_trace(text, "t.csv");
  ASSERT_EQ(trace.size(), 2U);
  EXPECT_DOUBLE_EQ(trace[1].time, 4.314579);
  EXPECT_EQ(trace[1].generated, 109);
}

TEST(ArrivalTrace, WhatIsWrongIsToldWithItsLine) {
  const std::string good = "2023-11-16 18:15:46.6805900,374,44\n";
  EXPECT_EQ(refusal(""), "t.csv:1: a trace begins with the line TIMESTAMP,ContextTokens,GeneratedTokens: \"\"");
  EXPECT_EQ(refusal("time,in,out\n" + good),
            "t.csv:1: a trace begins with the line TIMESTAMP,ContextTokens,GeneratedTokens: \"time,in,out\"");
  EXPECT_EQ(refusal(trace_head), "t.csv: no requests stand below its first line");
  EXPECT_EQ(refusal(trace_head + good + "2023-11-16 18:15:46.680589,374,44\n"),
            "t.csv:3: TIMESTAMP must be no earlier than in the line before: \"2023-11-16 18:15:46.680589,374,44\"");
  EXPECT_EQ(refusal(trace_head + good + "2023-11-16 18:15:47,0,44\n"),
            "t.csv:3: ContextTokens must be a whole number from 1 to 16777216: \"2023-11-16 18:15:47,0,44\"");
  EXPECT_EQ(refusal(trace_head + "2023-11-16 18:15:47,5\n"),
            "t.csv:2: ContextTokens must be a whole number from 1 to 16777216: \"2023-11-16 18:15:47,5\"");
  for (const char* const last : {"", "-1", "4.5", "44,1", "16777217", "99999999999999999999"})
    EXPECT_NE(refusal(fmt::format("{}2023-11-16 18:15:47,5,{}\n", trace_head, last)).find("GeneratedTokens must be"),
              std::string::npos)
        << last;
}

TEST(ArrivalTrace, TimesThatAreNoneAreTold) {
  for (const char* const time :
       {"", "2023-11-16", "2023-11-16T18:15:47", "2023-02-29 18:15:47", "2023-13-01 18:15:47", "2023-11-16 24:00:00",
        "2023-11-16 18:60:00", "2023-11-16 18:15:47.", "2023-11-16 18:15:47.0123456789", "2023-11-16 18:15:47+01:00",
        " 2023-11-16 18:15:47", "1969-12-31 18:15:47", "9999-12-31 18:15:47", "1700158547"})
    EXPECT_NE(refusal(fmt::format("{}{},374,44\n", trace_head, time)).find("t.csv:2: TIMESTAMP must be a time such as"),
              std::string::npos)
        << time;
}

TEST(ArrivalTrace, ItsFileIsNamed) {
  const std::filesystem::path path = test::temporary_path("trace.csv");
  EXPECT_NE(test::error_of([&] { read_trace(path); }).find(path.string()), std::string::npos);
  write_file(path, trace_head + "x");
  EXPECT_NE(test::error_of([&] { read_trace(path); }).find(path.string() + ":2: "), std::string::npos);
  write_file(path, trace_head + "2023-11-16 18:15:46.6805900,374,44");
  EXPECT_EQ(read_trace(path).size(), 1U);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace layerboost
