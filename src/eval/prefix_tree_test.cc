#include "eval/prefix_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "base/random.h"

namespace layerboost {
namespace {

std::vector<TokenId> counting(TokenId first, int count) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

/// The tokens from the text's beginning to the end of a run.
std::vector<TokenId> path_to(const std::vector<TokenRun>& runs, int run) {
  if (run < 0) return {};
  const TokenRun& last = runs[static_cast<std::size_t>(run)];
  std::vector<TokenId> path = path_to(runs, last.parent);
  path.insert(path.end(), last.tokens.begin(), last.tokens.end());
  return path;
}

/// Checks that every token of every continuation is predicted exactly once, after exactly the tokens before it.
void expect_complete(const std::vector<TokenRun>& runs, const std::vector<Request>& requests) {
  std::map<std::pair<int, std::size_t>, int> found;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    ASSERT_LT(runs[i].parent, static_cast<int>(i));
    ASSERT_FALSE(runs[i].tokens.empty());
    const std::vector<TokenId> path = path_to(runs, static_cast<int>(i));
    const std::size_t before = path.size() - runs[i].tokens.size();
    int last_row = 0;
    for (const Target& target : runs[i].targets) {
      ASSERT_GE(target.row, last_row);
      last_row = target.row;
      const Request& request = requests[static_cast<std::size_t>(target.request)];
      std::vector<TokenId> whole = request.context;
      whole.insert(whole.end(), request.continuation.begin(), request.continuation.end());
      const std::size_t position = before + static_cast<std::size_t>(target.row);
      ASSERT_TRUE(std::equal(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(position) + 1, whole.begin()));
      ASSERT_EQ(target.token, whole[position + 1]);
      ASSERT_GE(position + 1, request.context.size());
      ++found[{target.request, position + 1}];
    }
  }
  std::size_t expected = 0;
  for (const Request& request : requests) expected += request.continuation.size();
  EXPECT_EQ(found.size(), expected);
  for (const auto& [target, times] : found) EXPECT_EQ(times, 1) << target.first << " " << target.second;
}

std::size_t rows_of(const std::vector<TokenRun>& runs) {
  std::size_t rows = 0;
  for (const TokenRun& run : runs) rows += run.tokens.size();
  return rows;
}

TEST(PrefixTree, ChoicesShareTheirContext) {
  const std::vector<Request> requests = {
      {counting(0, 20), {100, 101}}, {counting(0, 20), {200}}, {counting(0, 20), {300, 301, 302}}};
  const auto runs = build_prefix_tree(requests);
  expect_complete(runs, requests);
  EXPECT_EQ(rows_of(runs), 20U + 1 + 0 + 2);
  EXPECT_EQ(runs.size(), 3U);  // a single-token choice needs no run of its own
}

TEST(PrefixTree, ShortPrefixesAreNotWorthAFork) {
  const std::vector<Request> requests = {{{1, 2}, {3, 4, 5}}, {{1, 2}, {6, 7, 8}}};
  const auto runs = build_prefix_tree(requests);
  expect_complete(runs, requests);
  EXPECT_EQ(runs.size(), 2U);
  EXPECT_EQ(rows_of(runs), 8U);
}

TEST(PrefixTree, HeadersAboveContexts) {
  std::vector<Request> requests;
  for (TokenId item = 0; item < 3; ++item) {
    std::vector<TokenId> context = counting(0, 50);
    for (const TokenId token : counting(100 * (item + 1), 30)) context.push_back(token);
    requests.push_back({context, {7, 8, 9}});
    requests.push_back({context, {5, 6}});
  }
  const auto runs = build_prefix_tree(requests);
  expect_complete(runs, requests);
  EXPECT_EQ(rows_of(runs), 50U + 3 * (30 + 2 + 1));
}

TEST(PrefixTree, EqualRequestsAndNestedOnes) {
  const std::vector<Request> requests = {{counting(0, 10), counting(10, 5)},
                                         {counting(0, 10), counting(10, 5)},
                                         {counting(0, 12), counting(12, 8)},
                                         {{3}, {}},
                                         {{0}, counting(1, 2)}};
  const auto runs = build_prefix_tree(requests);
  expect_complete(runs, requests);
  EXPECT_EQ(rows_of(runs), 2U + 19);  // the two short tokens aren't worth sharing, the rest is one text
}

TEST(PrefixTree, NothingIsSharedBetweenShortAndLongTexts) {
  RopeConfig rope;
  rope.longest_short = 24;
  std::vector<Request> requests;
  for (const int length : {24, 25, 20, 40}) requests.push_back({counting(0, 10), counting(10, length - 9)});
  const auto runs = build_prefix_tree(requests, rope);
  expect_complete(runs, requests);
  EXPECT_EQ(rows_of(runs), 24U + 40);
  for (const TokenRun& run : runs) {
    for (const Target& target : run.targets) EXPECT_EQ(run.rotations, target.request % 2 == 0 ? 0 : 24);
    if (run.parent >= 0) {
      EXPECT_EQ(run.rotations, runs[static_cast<std::size_t>(run.parent)].rotations);
    }
  }
}

TEST(PrefixTree, NothingIsSharedBetweenLengthsThatHaveRotationsOfTheirOwn) {
  RopeConfig rope;
  rope.scaling = RopeConfig::Scaling::dynamic;
  rope.longest_short = 24;
  std::vector<Request> requests;
  for (const int length : {24, 25, 20, 40, 25}) requests.push_back({counting(0, 10), counting(10, length - 9)});
  const auto runs = build_prefix_tree(requests, rope);
  expect_complete(runs, requests);
  EXPECT_EQ(rows_of(runs), 24U + 25 + 40);
}

TEST(PrefixTree, NothingToRead) {
  EXPECT_TRUE(build_prefix_tree({}).empty());
  const std::vector<Request> requests = {{{1, 2}, {}}};
  EXPECT_TRUE(build_prefix_tree(requests).empty());
}

TEST(PrefixTree, RandomRequests) {
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<Request> requests;
    for (int i = 0; i < 40; ++i) {
      Request request;
      // Mostly zeros: long shared prefixes, branching everywhere.
      const auto token = [&] { return static_cast<TokenId>(random.below(12) == 0 ? 1 : 0); };
      for (std::uint64_t n = 1 + random.below(30); n > 0; --n) request.context.push_back(token());
      for (std::uint64_t n = random.below(6); n > 0; --n) request.continuation.push_back(token());
      requests.push_back(request);
    }
    expect_complete(build_prefix_tree(requests), requests);
  }
}

}  // namespace
}  // namespace layerboost
