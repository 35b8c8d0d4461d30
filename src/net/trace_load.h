// `bench --url --trace`: requests of a trace, sent to a server when they arrived there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/print.h"
#include "net/load_client.h"
#include "net/replay_report.h"
#include "net/trace_replay.h"

namespace layerboost {

struct TraceLoadOptions {
  LoadTarget target;                // model empty: the first that the server has
  std::string trace;                // a file for read_trace()
  std::vector<double> rates = {1};  // times as fast as recorded, one level each
  ReplayRules rules;                // of every level, but for its rate; context 0: what the server says
  LatencyTargets targets;
  int vocabulary = 0;  // tokens are sampled below it; 0: what the server says, else 32000
};

/// Sends the trace's first request alone, then replays the trace at each rate, with other tokens each time, and prints
/// the table as it grows. Returns {"results": [...]}, each with replay_report()'s fields and what was asked. Throws
/// Error when there is nothing to send or the first request fails, Interrupted when the user asked to stop.
Json replay_trace(TraceLoadOptions options, std::uint64_t seed, const Print& print);

}  // namespace layerboost
