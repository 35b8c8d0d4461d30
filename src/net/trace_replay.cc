#include "net/trace_replay.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

#include "base/random.h"
#include "net/load_client.h"

namespace layerboost {
namespace {

/// Which turn of which session a request is.
struct Turn {
  int session = -1, turn = 0;
};

// Knuth's way: how many factors below 1 it takes to come below e^-mean.
int poisson(double mean, Random& random) {
  int count = 0;
  for (double product = random.uniform(); product > std::exp(-mean); product *= random.uniform()) ++count;
  return count;
}

int draw_turns(Random random) {
  constexpr std::uint64_t one_of = 4;  // sessions has several turns
  constexpr double mean = 3;
  return random.below(one_of) == 0 ? std::max(1, poisson(mean, random)) : 1;
}

std::vector<Turn> draw_sessions(const std::vector<TracedRequest>& trace, std::uint64_t seed) {
  const Random all(seed);
  std::vector<Turn> turns(trace.size());
  int session = 0;
  for (std::size_t first = 0; first < trace.size(); ++first) {
    if (turns[first].session >= 0) continue;
    const int count = draw_turns(all.fork(static_cast<std::uint64_t>(session)));
    std::size_t at = first;
    for (int turn = 0; turn < count; ++turn) {
      const double earliest = turn == 0 ? trace[first].time : trace[at].time + seconds_between_turns;
      while (at < trace.size() && (turns[at].session >= 0 || trace[at].time < earliest)) ++at;
      if (at == trace.size()) break;
      turns[at] = {session, turn};
    }
    ++session;
  }
  return turns;
}

std::vector<Turn> sessions_of_one(std::size_t count) {
  std::vector<Turn> turns(count);
  for (std::size_t i = 0; i < count; ++i) turns[i].session = static_cast<int>(i);
  return turns;
}

}  // namespace

Replay plan_replay(const std::vector<TracedRequest>& trace, const ReplayRules& rules, std::uint64_t seed) {
  const std::vector<Turn> turns = rules.turns ? draw_sessions(trace, seed) : sessions_of_one(trace.size());
  Replay replay;
  std::map<int, int> histories;  // tokens, by session
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const double time = trace[i].time / rules.rate;
    if (time >= rules.seconds || (rules.requests > 0 && i >= static_cast<std::size_t>(rules.requests))) break;
    int& history = histories[turns[i].session];
    const ReplayedRequest request{time, turns[i].session, turns[i].turn, history, trace[i].prompt, trace[i].generated};
    if (request.sent() + request.generated > rules.context) {
      ++replay.dropped;
      continue;
    }
    history = request.sent() + request.generated;
    replay.requests.push_back(request);
  }
  return replay;
}

std::vector<std::vector<int>> replay_prompts(const Replay& replay, int vocabulary, std::uint64_t seed) {
  const Random all(seed);
  std::map<int, std::vector<int>> histories;  // by session
  std::vector<std::vector<int>> prompts;
  for (std::size_t i = 0; i < replay.requests.size(); ++i) {
    const ReplayedRequest& request = replay.requests[i];
    Random random = all.fork(i);
    std::vector<int>& history = histories[request.session];
    append_random_tokens(history, request.prompt, vocabulary, random);
    prompts.push_back(history);
    append_random_tokens(history, request.generated, vocabulary, random);
  }
  return prompts;
}

}  // namespace layerboost
