// When requests came to a service and how long they were: the CSV files of Azure's LLM inference traces.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace layerboost {

/// One request of a trace.
struct TracedRequest {
  double time = 0;    // seconds after the trace's first request
  int prompt = 0;     // tokens
  int generated = 0;  // tokens of the answer
};

/// The requests that `text` holds, in the order of their arrival, at least one. The first line is
/// "TIMESTAMP,ContextTokens,GeneratedTokens", each other one a request: "2023-11-16 18:15:46.6805900,374,44". Seconds
/// may have up to nine digits behind the point, or none; "+00:00" may follow. Lines end with LF or CRLF. Throws Error
/// naming `where` and the line for whatever else stands there, and for requests that aren't in the order of their
/// arrival.
std::vector<TracedRequest> parse_trace(std::string_view text, std::string_view where);

/// parse_trace() of a file or pipe. Throws Error.
std::vector<TracedRequest> read_trace(const std::filesystem::path& path);

}  // namespace layerboost
