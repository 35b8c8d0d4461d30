// An HTTP server for tests of clients that stream: on loopback, a thread for each connection, one request each.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/loopback_socket.h"

namespace layerboost {

class StreamingServer {
 public:
  struct Request {
    std::string head, body;  // "POST /v1/completions HTTP/1.1\r\n...", without the empty line

    [[nodiscard]] bool asks_for(std::string_view path) const { return head.find(path) != std::string::npos; }
  };
  /// Where the answer goes, bytes as they are; closing it is the server's.
  using Send = std::function<void(std::string_view)>;
  using Handler = std::function<void(const Request&, const Send&)>;

  explicit StreamingServer(Handler handler) : handler_(std::move(handler)), acceptor_([this] { serve(); }) {}
  ~StreamingServer() {
    socket_.end();
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
  }
  StreamingServer(const StreamingServer&) = delete;
  StreamingServer& operator=(const StreamingServer&) = delete;

  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", socket_.port()); }
  [[nodiscard]] std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// The most that were being answered at the same time.
  [[nodiscard]] int most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_;
  }

  static constexpr std::string_view stream_head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
  static std::string whole(int status, std::string_view body) {
    return fmt::format(
        "HTTP/1.1 {} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
        body.size(), body);
  }

 private:
  void serve() {
    for (;;) {
      const int connection = socket_.accept();
      if (connection < 0) return;
      threads_.emplace_back([this, connection] {
        answer(connection);
        ::close(connection);
      });
    }
  }

  void answer(int connection) {
    Request request;
    if (!read(connection, request)) return;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      most_ = std::max(most_, ++running_);
    }
    handler_(request, [connection](std::string_view bytes) { LoopbackSocket::send_all(connection, bytes); });
    const std::lock_guard lock(mutex_);
    --running_;
  }

  static bool read(int connection, Request& request) {
    std::string text;
    std::size_t end = std::string::npos, length = 0;
    while (end == std::string::npos || text.size() < end + 4 + length) {
      char buffer[4096];
      const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      text.append(buffer, static_cast<std::size_t>(n));
      end = text.find("\r\n\r\n");
      const std::size_t header = text.find("Content-Length: ");
      if (header < end) length = std::stoul(text.substr(header + 16));
    }
    request.head = text.substr(0, end);
    request.body = text.substr(end + 4);
    return true;
  }

  Handler handler_;
  LoopbackSocket socket_;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  int running_ = 0, most_ = 0;
  std::vector<std::thread> threads_;  // of the acceptor, until it has ended
  std::thread acceptor_;
};

}  // namespace layerboost
