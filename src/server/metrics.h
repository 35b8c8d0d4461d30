// What happens in the server, as numbers for Prometheus.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/engine.h"
#include "server/histogram.h"
#include "server/server_info.h"

namespace layerboost {

/// For the loop's thread only. Times in seconds; each of a request's choices counts for itself.
struct Metrics {
  Histogram first_token = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
                           0.75,  1,     2.5,  5,    7.5,  10,   20,   40,  80,   160};
  Histogram between_tokens = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15,
                              0.2,   0.3,    0.4,   0.5,  0.75,  1,    2.5,   5,   10};
  Histogram whole_request = {0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960};
  int connections = 0;

  /// When a place in the queue may be free again: whole seconds, at least 1, at most 60.
  [[nodiscard]] int seconds_to_wait(const EngineStats& stats) const;
};

/// Prometheus' text format, version 0.0.4: our own names (layerboost_...), and vLLM's beside them, which routers and
/// dashboards know.
/// `answers`: by HTTP status.
std::string prometheus_text(const Metrics& metrics, const std::map<int, std::uint64_t>& answers,
                            const EngineStats& stats, const ServerInfo& info);

}  // namespace layerboost
