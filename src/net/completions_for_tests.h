// Answers of a server of OpenAI's API, for tests of its clients.
#pragma once

#include <chrono>
#include <string_view>
#include <thread>

#include "base/json.h"
#include "net/streaming_server_for_tests.h"

namespace layerboost::test {

inline void send_event(const StreamingServer::Send& send, const Json& event) { send("data: " + event.dump() + "\n\n"); }

/// Sends as many chunks as tokens are asked for, a millisecond apart, then the usage, and the end.
inline void write_text(const StreamingServer::Request& request, const StreamingServer::Send& send) {
  const int tokens = Json::parse(request.body)["max_tokens"];
  send(StreamingServer::stream_head);
  for (int i = 0; i < tokens; ++i) {
    send_event(send, {{"choices", {{{"index", 0}, {"text", i % 2 == 0 ? "a" : ""}}}}});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  send_event(send, {{"choices", Json::array()}, {"usage", {{"prompt_tokens", 3}, {"completion_tokens", tokens}}}});
  send("data: [DONE]\n\n");
}

/// A server that says this of its models, and does write_text() whatever else it is asked.
inline StreamingServer::Handler completions(std::string_view models) {
  return [models](const StreamingServer::Request& request, const StreamingServer::Send& send) {
    if (request.asks_for("/v1/models"))
      send(StreamingServer::whole(200, models));
    else
      write_text(request, send);
  };
}

}  // namespace layerboost::test
