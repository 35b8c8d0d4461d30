// Server-sent events, as OpenAI's streams use them.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

inline constexpr std::string_view sse_type = "text/event-stream; charset=utf-8";
inline constexpr std::string_view sse_done = "data: [DONE]\n\n";
inline constexpr std::string_view sse_comment = ":\n\n";  // means nothing

/// An event; `data` is one line. The other has a name, too.
inline std::string sse_event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }
inline std::string sse_event(std::string_view name, std::string_view data) {
  return "event: " + std::string(name) + "\n" + sse_event(data);
}

}  // namespace layerboost
