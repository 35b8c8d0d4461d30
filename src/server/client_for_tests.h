// For tests: HTTP over a plain socket, as well-behaved or not as a test wants.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace layerboost {

struct AnswerForTests {
  int status = 0;  // 0: the connection ended without an answer
  std::map<std::string, std::string> headers;
  std::string body;  // put together again where it came in chunks

  [[nodiscard]] Json json() const { return Json::parse(body); }
  /// The JSON of a stream's events, without the final [DONE], which must be there.
  [[nodiscard]] std::vector<Json> events() const {
    std::vector<Json> events;
    std::string_view rest = body;
    const std::string_view begin = "data: ", end = "\n\n", done = "data: [DONE]\n\n";
    LB_CHECK(rest.ends_with(done));
    rest.remove_suffix(done.size());
    while (!rest.empty()) {
      LB_CHECK(rest.starts_with(begin));
      const std::size_t size = rest.find(end);
      events.push_back(Json::parse(rest.substr(begin.size(), size - begin.size())));
      rest.remove_prefix(size + end.size());
    }
    return events;
  }
};

class ClientForTests {
 public:
  explicit ClientForTests(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    LB_CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~ClientForTests() { ::close(socket_); }
  ClientForTests(const ClientForTests&) = delete;
  ClientForTests& operator=(const ClientForTests&) = delete;

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t size = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void send(std::string_view method, std::string_view path, std::string_view body, std::string_view headers) const {
    send(fmt::format(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}", method,
        path, body.size(), headers, body));
  }

  /// Says that nothing more will be sent; what the server sends is still read.
  void end_sending() const { ::shutdown(socket_, SHUT_WR); }

  /// Reads until `end` has come; everything read so far, or less when the connection ends.
  std::string read_until(std::string_view end) {
    while (read_.find(end) == std::string::npos && receive()) {
    }
    return read_;
  }

  /// Reads one answer; others may follow.
  AnswerForTests read_answer() {
    AnswerForTests answer;
    if (read_until("\r\n\r\n").find("\r\n\r\n") == std::string::npos) return answer;
    answer.status = std::atoi(read_.c_str() + sizeof "HTTP/1.1");
    read_headers(answer);
    if (answer.headers.contains("Transfer-Encoding")) {
      while (read_chunk(answer.body)) {
      }
    } else {
      answer.body = take(static_cast<std::size_t>(std::atoll(answer.headers["Content-Length"].c_str())));
    }
    return answer;
  }

  /// Whether the server has closed the connection; waits for it or for data, but not for longer than `patience`.
  bool ended() { return read_.empty() && !receive() && ended_; }

 private:
  bool receive() {
    char buffer[4096];
    const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size > 0) read_.append(buffer, static_cast<std::size_t>(size));
    ended_ = size == 0 || (size < 0 && errno != EAGAIN);
    return size > 0;
  }

  std::string take(std::size_t size) {
    while (read_.size() < size && receive()) {
    }
    const std::string taken = read_.substr(0, size);
    read_.erase(0, size);
    return taken;
  }

  std::string take_line() {
    read_until("\r\n");
    std::string line = take(std::min(read_.find("\r\n"), read_.size()));
    take(2);
    return line;
  }

  void read_headers(AnswerForTests& answer) {
    take_line();
    for (std::string line = take_line(); !line.empty(); line = take_line()) {
      const std::size_t colon = line.find(": ");
      answer.headers[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }

  bool read_chunk(std::string& body) {
    const auto size = static_cast<std::size_t>(std::strtoull(take_line().c_str(), nullptr, 16));
    body += take(size);
    take_line();
    return size > 0;
  }

  static constexpr timeval patience{30, 0};  // a test that waits longer has failed

  int socket_;
  bool ended_ = false;
  std::string read_;  // and not taken yet
};

}  // namespace layerboost
