// A listening socket for tests' servers: on loopback, at a free port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "base/error.h"

namespace layerboost {

class LoopbackSocket {
 public:
  LoopbackSocket() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    LB_CHECK(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    LB_CHECK(::listen(socket_, 64) == 0);
    socklen_t size = sizeof address;
    LB_CHECK(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~LoopbackSocket() { ::close(socket_); }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;

  [[nodiscard]] int port() const { return port_; }
  /// The next connection, which is the caller's to close; below 0: ended.
  [[nodiscard]] int accept() const { return ::accept(socket_, nullptr, nullptr); }
  /// Ends accept(), from another thread too.
  void end() const { ::shutdown(socket_, SHUT_RDWR); }

  /// Sends all of it, or what the other side takes, and says how many bytes that were.
  static std::size_t send_all(int connection, std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }

 private:
  int socket_;
  int port_ = 0;
};

}  // namespace layerboost
