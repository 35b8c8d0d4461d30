// For tests: the events of a stream of /v1/responses.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace layerboost {

struct EventForTests {
  std::string name;
  Json data;
};

/// The events of a response's stream.
inline std::vector<EventForTests> response_events(std::string_view stream) {
  std::vector<EventForTests> events;
  for (std::string_view rest = stream; !rest.empty();) {
    const std::size_t line = rest.find('\n'), end = rest.find("\n\n");
    LB_CHECK(rest.starts_with("event: ") && rest.substr(line + 1).starts_with("data: ") && end != rest.npos);
    events.push_back({std::string(rest.substr(7, line - 7)), Json::parse(rest.substr(line + 7, end - line - 7))});
    EXPECT_EQ(events.back().data["type"], events.back().name);
    EXPECT_EQ(events.back().data["sequence_number"], events.size() - 1);
    rest.remove_prefix(end + 2);
  }
  return events;
}

/// Their names, without those of deltas that follow another.
inline std::vector<std::string> event_names(const std::vector<EventForTests>& events) {
  std::vector<std::string> names;
  for (const EventForTests& event : events)
    if (names.empty() || names.back() != event.name) names.push_back(event.name);
  return names;
}

}  // namespace layerboost
