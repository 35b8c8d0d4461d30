// An HTTP server for tests: on loopback, one request per connection, answers by a function of the test.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/loopback_socket.h"

namespace layerboost {

class LoopbackServer {
 public:
  struct Request {
    std::string path, host, authorization;
    std::int64_t offset = 0;  // of "Range: bytes=OFFSET-"; 0 without
  };
  struct Answer {
    int status = 200;
    std::string body;
    std::string location;             // of a redirect
    std::optional<std::size_t> sent;  // close the connection after so many bytes of the body
    int retry_after = 0;              // seconds; 0: no such header
  };
  using Handler = std::function<Answer(const Request&)>;

  explicit LoopbackServer(Handler handler) : handler_(std::move(handler)), thread_([this] { serve(); }) {}
  ~LoopbackServer() {
    socket_.end();
    thread_.join();
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  [[nodiscard]] std::string url(const char* host = "127.0.0.1") const {
    return fmt::format("http://{}:{}", host, socket_.port());
  }
  [[nodiscard]] std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// Bytes of all answers that clients took, or the system for them.
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  void serve() {
    for (;;) {
      const int connection = socket_.accept();
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    Request request;
    request.path = text.substr(4, text.find(' ', 4) - 4);  // "GET PATH HTTP/1.1"
    request.host = header(text, "Host: ");
    request.authorization = header(text, "Authorization: ");
    if (const std::string range = header(text, "Range: bytes="); !range.empty()) request.offset = std::stoll(range);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const Answer answer = handler_(request);
    std::string reply =
        fmt::format("HTTP/1.1 {} -\r\nContent-Length: {}\r\nConnection: close\r\n", answer.status, answer.body.size());
    if (!answer.location.empty()) reply += "Location: " + answer.location + "\r\n";
    if (answer.retry_after > 0) reply += fmt::format("Retry-After: {}\r\n", answer.retry_after);
    reply += "\r\n" + answer.body.substr(0, answer.sent.value_or(answer.body.size()));
    taken_ += LoopbackSocket::send_all(connection, reply);
  }

  static std::string header(const std::string& text, const std::string& name) {
    const std::size_t at = text.find("\r\n" + name);
    if (at == std::string::npos) return "";
    const std::size_t start = at + 2 + name.size();
    return text.substr(start, text.find("\r\n", start) - start);
  }

  Handler handler_;
  LoopbackSocket socket_;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::atomic<std::size_t> taken_ = 0;
  std::thread thread_;
};

}  // namespace layerboost
