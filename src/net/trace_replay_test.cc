#include "net/trace_replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "net/load_client.h"

namespace layerboost {
namespace {

/// `count` requests, so many seconds apart.
std::vector<TracedRequest> regular_trace(int count, double apart, int prompt = 10, int generated = 5) {
  std::vector<TracedRequest> trace;
  for (int i = 0; i < count; ++i) trace.push_back({i * apart, prompt, generated});
  return trace;
}

std::vector<double> times_of(const Replay& replay) {
  std::vector<double> times;
  for (const ReplayedRequest& request : replay.requests) times.push_back(request.time);
  return times;
}

TEST(TraceReplay, TheRateScalesTimes) {
  const std::vector<TracedRequest> trace = regular_trace(4, 3);
  EXPECT_EQ(times_of(plan_replay(trace, {.context = 15}, 0)), (std::vector<double>{0, 3, 6, 9}));
  EXPECT_EQ(times_of(plan_replay(trace, {.rate = 1.5, .context = 15}, 0)), (std::vector<double>{0, 2, 4, 6}));
}

TEST(TraceReplay, SecondsOfReplayAndRequestsLimitIt) {
  const std::vector<TracedRequest> trace = regular_trace(4, 3);
  EXPECT_EQ(times_of(plan_replay(trace, {.seconds = 6, .context = 15}, 0)), (std::vector<double>{0, 3}));
  EXPECT_EQ(times_of(plan_replay(trace, {.rate = 1.5, .seconds = 4.1, .context = 15}, 0)),
            (std::vector<double>{0, 2, 4}));
  EXPECT_EQ(times_of(plan_replay(trace, {.requests = 3, .context = 15}, 0)), (std::vector<double>{0, 3, 6}));
  EXPECT_EQ(plan_replay(trace, {.seconds = 4, .requests = 3, .context = 15}, 0).requests.size(), 2U);
}

TEST(TraceReplay, WhatIsLongerThanTheContextIsDropped) {
  const std::vector<TracedRequest> trace = {{0, 90, 11}, {1, 90, 10}, {2, 1, 100}, {3, 1, 99}, {4, 100, 1}};
  const Replay replay = plan_replay(trace, {.requests = 4, .context = 100}, 0);
  EXPECT_EQ(times_of(replay), (std::vector<double>{1, 3}));
  EXPECT_EQ(replay.dropped, 2);
  EXPECT_EQ(replay.requests[0].sent(), 90);
  EXPECT_EQ(replay.requests[0].generated, 10);
}

TEST(TraceReplay, WithoutTurnsEachRequestIsASession) {
  const Replay replay = plan_replay(regular_trace(50, 1), {.context = 15}, 3);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(replay.requests[i].session, i);
    EXPECT_EQ(replay.requests[i].turn, 0);
    EXPECT_EQ(replay.requests[i].history, 0);
  }
}

TEST(TraceReplay, TurnsAreDrawnAsIsSaid) {
  const std::vector<TracedRequest> trace = regular_trace(60000, 0.2);
  const Replay replay = plan_replay(trace, {.context = 1 << 20, .turns = true}, 1);
  ASSERT_EQ(replay.requests.size(), trace.size());
  std::map<int, ReplayedRequest> last;
  for (std::size_t i = 0; i < replay.requests.size(); ++i) {
    const ReplayedRequest& request = replay.requests[i];
    EXPECT_EQ(request.time, trace[i].time);
    const auto [before, is_first] = last.emplace(request.session, request);
    if (is_first) {
      ASSERT_EQ(request.turn, 0);
      ASSERT_EQ(request.history, 0);
      continue;
    }
    ASSERT_EQ(request.turn, before->second.turn + 1);
    ASSERT_EQ(request.history, before->second.sent() + before->second.generated);
    ASSERT_GE(request.time, before->second.time + seconds_between_turns);
    ASSERT_LT(request.time, before->second.time + seconds_between_turns + 5);
    before->second = request;
  }
  // A quarter has max(1, Poisson(3)) turns, 1.5124 for all on average; 0.2 of the quarter has one after all.
  EXPECT_NEAR(60000.0 / static_cast<double>(last.size()), 1.5124, 0.03);
  const auto single = std::count_if(last.begin(), last.end(), [](const auto& item) { return item.second.turn == 0; });
  EXPECT_NEAR(static_cast<double>(single) / static_cast<double>(last.size()), 0.75 + 0.25 * 0.19915, 0.01);
}

TEST(TraceReplay, SessionsDependOnTheSeedAloneNotOnTheRateOrWhereThePieceEnds) {
  const std::vector<TracedRequest> trace = regular_trace(400, 1);
  const auto turns = [&](ReplayRules rules, std::uint64_t seed) {
    rules.turns = true;
    rules.context = 1 << 20;
    std::vector<std::tuple<int, int, int>> all;
    for (const ReplayedRequest& request : plan_replay(trace, rules, seed).requests)
      all.emplace_back(request.session, request.turn, request.history);
    return all;
  };
  const auto all = turns({}, 7);
  EXPECT_EQ(turns({}, 7), all);
  EXPECT_EQ(turns({.rate = 20}, 7), all);
  EXPECT_NE(turns({}, 8), all);
  auto part = turns({.requests = 100}, 7);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin()));
}

TEST(TraceReplay, ADroppedTurnIsNotInTheHistory) {
  std::vector<TracedRequest> trace = regular_trace(400, 1);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i].prompt = i % 3 == 0 ? 90 : 10;
  const Replay replay = plan_replay(trace, {.context = 100, .turns = true}, 7);
  std::map<int, int> histories;
  bool gap = false;  // whether a turn was sent after one that was dropped
  std::map<int, int> sent;
  for (const ReplayedRequest& request : replay.requests) {
    ASSERT_EQ(request.history, histories[request.session]);
    ASSERT_LE(request.sent() + request.generated, 100);
    histories[request.session] = request.sent() + request.generated;
    gap = gap || request.turn > sent[request.session];
    ++sent[request.session];
  }
  EXPECT_TRUE(gap);
  EXPECT_GT(replay.dropped, 0);
  EXPECT_EQ(replay.requests.size() + static_cast<std::size_t>(replay.dropped), trace.size());
}

TEST(TraceReplay, ATurnsPromptBeginsWithTheOneBefore) {
  const Replay replay = plan_replay(regular_trace(300, 1), {.context = 1 << 20, .turns = true}, 7);
  const std::vector<std::vector<int>> prompts = replay_prompts(replay, 500, 9);
  ASSERT_EQ(prompts.size(), 300U);
  std::map<int, std::vector<int>> last;  // prompts, by session
  std::set<std::vector<int>> beginnings;
  int continued = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSERT_EQ(static_cast<int>(prompts[i].size()), replay.requests[i].sent());
    for (const int token : prompts[i]) ASSERT_TRUE(token >= first_random_token && token < 500);
    std::vector<int>& before = last[replay.requests[i].session];
    ASSERT_EQ(before.size() + (before.empty() ? 0 : 5), static_cast<std::size_t>(replay.requests[i].history));
    ASSERT_TRUE(std::equal(before.begin(), before.end(), prompts[i].begin()));
    continued += before.empty() ? 0 : 1;
    if (before.empty()) beginnings.emplace(prompts[i].begin(), prompts[i].begin() + 3);
    before = prompts[i];
  }
  EXPECT_GT(continued, 50);
  EXPECT_EQ(beginnings.size(), last.size());  // no two sessions with a common beginning
  EXPECT_EQ(replay_prompts(replay, 500, 9), prompts);
  EXPECT_NE(replay_prompts(replay, 500, 10), prompts);
}

}  // namespace
}  // namespace layerboost
