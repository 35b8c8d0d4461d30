// The event loop: accepts connections and carries requests to a handler and answers back, in a thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "server/http.h"
#include "server/limits.h"

namespace layerboost {

/// HTTP/1.1 with keep-alive and answers in pieces; slow, half-open and malformed connections end by their limits and
/// touch no other. Requires: what is called on the loop's thread is quick.
class HttpServer {
 public:
  /// Listens on `host` (a name or an address) and `port` (0: any free one). Throws Error when that can't be had.
  HttpServer(const std::string& host, int port, const Limits& limits);
  /// Ends the loop at once; answers that aren't complete are cut off, and no callback is called any more.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Ends the loop at once, as the destructor does. Requires: the calling thread isn't the loop's.
  void stop();

  /// Starts the thread; `handler` is called on it for each request, and what it throws ends that request alone.
  /// Requires: it wasn't started before.
  void start(HttpHandler handler);

  /// Runs `work` on the loop's thread, in the order of the calls. Thread-safe. Where there is no memory for that, it
  /// waits until there is: for other threads than the loop's.
  void post(std::function<void()> work);
  /// Runs `work` on the loop's thread after each `period`. Requires: start() wasn't called yet.
  void every(std::chrono::milliseconds period, std::function<void()> work);

  [[nodiscard]] int port() const;
  /// Whether only programs on this machine can connect.
  [[nodiscard]] bool on_loopback() const;

  // On the loop's thread only:

  /// From now on connections end with their answers, so that clients look for another server.
  void stop_keep_alive();
  /// Requests whose answers aren't with their clients yet.
  [[nodiscard]] int busy() const;
  [[nodiscard]] int connections() const;
  /// Answers so far, by status.
  [[nodiscard]] const std::map<int, std::uint64_t>& answers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace layerboost
