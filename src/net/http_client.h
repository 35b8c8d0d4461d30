// GET over HTTP and HTTPS, by libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace layerboost {

/// How one request ended.
struct HttpOutcome {
  long status = 0;               // HTTP's; 0: there was no answer
  std::string failure;           // why the answer is missing or cut short; empty: it is complete
  bool permanent = true;         // asking again would not help
  std::int64_t retry_after = 0;  // seconds that the server asks to wait (Retry-After); 0: not said

  [[nodiscard]] bool complete() const { return failure.empty() && (status == 200 || status == 206); }
};

/// Requests to one server, over one connection where it allows. Not thread-safe.
class HttpClient {
 public:
  /// Takes bytes of an answer with status 200 or 206; may throw.
  using Sink = std::function<void(long status, std::string_view bytes)>;

  /// `base` is "http://..." or "https://..."; a `token` that isn't empty is sent as bearer to the base's host only.
  /// Throws Error when either is malformed.
  HttpClient(std::string base, const std::string& token);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// GET base + path from byte `offset` on (0: no Range header), following at most 10 redirects. The connection counts
  /// as lost after 60 s without data. Of headers, redirects and pages that explain an error no more than 1 MiB is
  /// taken. What the sink throws comes out here; Interrupted when the user asked to stop.
  HttpOutcome get(const std::string& path, std::int64_t offset, const Sink& sink);

  /// `text` with what a URL's path doesn't allow as %XX; "/" stays.
  static std::string escaped(const std::string& text);

  [[nodiscard]] const std::string& base() const { return base_; }

 private:
  struct Handles;

  std::string base_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace layerboost
