// An HTTP and HTTPS client, by libcurl: one request after another, or many at once, in one thread. An HttpClient
// belongs to one server and keeps its connections for later requests. A Request is a GET, or a POST of JSON; its sink
// takes the answer's bytes as they come, and an HttpOutcome says how it ended and whether asking again may help. get()
// makes one request and waits for its end. start() begins one under a number of the caller's, and run(), called again
// and again, moves all of them on. The client never asks twice by itself, and doesn't look into answers: net/hub.h and
// net/load_client.h do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace layerboost {

/// How a request ended.
struct HttpOutcome {
  long status = 0;               // HTTP's; 0: there was no answer
  std::string failure;           // why the answer is missing or cut short; empty: it is complete
  std::string page;              // what an answer with another status than 200 and 206 says, its first MiB
  bool permanent = true;         // asking again would not help
  std::int64_t retry_after = 0;  // seconds that the server asks to wait (Retry-After); 0: not said

  [[nodiscard]] bool complete() const { return failure.empty() && (status == 200 || status == 206); }
};

/// Requests to one server, over connections that are kept for the next ones. Of headers, redirects and pages that
/// explain an error no more than 1 MiB is taken. Proxies are what the environment says (https_proxy, no_proxy). Not
/// thread-safe.
class HttpClient {
 public:
  /// A server, and how patient its client is.
  struct Server {
    std::string base;                       // "http://..." or "https://..."; a "/" at its end is optional
    std::string base_name = "the address";  // what messages call it
    std::string token;                      // sent as bearer, to the base's host only; empty: none
    std::string token_name = "the token";   // what messages call it
    int most_redirects = 0;                 // that are followed
    int connect_seconds = 30;               // for a connection to be made
    int longest_silence = 60;               // seconds without data after which the connection counts as lost; 0: no end
  };

  /// One request to it.
  struct Request {
    /// Takes bytes of an answer with status 200 or 206; false: no more of it is wanted. May throw.
    using Sink = std::function<bool(long status, std::string_view bytes)>;

    std::string path;         // after the base
    std::int64_t offset = 0;  // the answer is asked for from this byte on; 0: no Range header
    std::string_view json;    // what is sent, by POST: not copied; empty: GET
    Sink sink;
  };

  /// Throws Error when base or token is malformed.
  explicit HttpClient(Server server);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Makes one request and waits for its end. What the sink throws comes out here. When the user asks to stop, it ends
  /// at once, incomplete. Requires: no other is under way.
  HttpOutcome get(const std::string& path, std::int64_t offset, const Request::Sink& sink);

  /// Begins a request. Requires: none of this number is under way; the sink's and the body's data live until it ends.
  void start(std::size_t number, Request request);

  /// Takes what has arrived, and gives `on_end` the requests that have ended since. When there are none, waits for more
  /// to arrive, at most so many seconds. What sinks throw comes out here.
  void run(double seconds, const std::function<void(std::size_t number, HttpOutcome)>& on_end);

  [[nodiscard]] std::size_t under_way() const { return transfers_.size(); }
  [[nodiscard]] const std::string& base() const { return server_.base; }

  /// `text` with what a URL's path doesn't allow as %XX; "/" stays.
  static std::string escaped(const std::string& text);

 private:
  class Transfer;
  struct Handles;

  Server server_;
  std::unique_ptr<Handles> handles_;
  std::map<std::size_t, std::unique_ptr<Transfer>> transfers_;  // by number
};

}  // namespace layerboost
