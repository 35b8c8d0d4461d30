#include "server/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <thread>

#include "base/error.h"
#include "server/http_connection.h"

namespace layerboost {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct Repeated {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> work;
};

void repeat(Repeated& repeated) {
  repeated.timer.expires_after(repeated.period);
  repeated.timer.async_wait([&repeated](error_code error) {
    if (error) return;
    repeated.work();
    repeat(repeated);
  });
}

}  // namespace

struct HttpServer::Impl {
  HttpConnections all;  // outlives the connections, which live in the loop's pending operations
  asio::io_context loop{1};
  tcp::acceptor acceptor{loop};
  asio::steady_timer pause{loop};
  std::list<Repeated> repeated;
  std::thread thread;

  void listen(const std::string& host, int port) {
    try {
      tcp::resolver resolver(loop);
      const tcp::endpoint endpoint = resolver.resolve(host, std::to_string(port))->endpoint();
      acceptor.open(endpoint.protocol());
      acceptor.set_option(asio::socket_base::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen();
    } catch (const boost::system::system_error& error) {
      fail("can't listen on {} port {}: {}; choose another --host or --port", host, port, error.code().message());
    }
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return wait_and_accept();
      if (all.open < all.limits.connections) serve_connection(std::move(socket), all);
      accept();
    });
  }

  /// Too many open files, for instance: that passes.
  void wait_and_accept() {
    pause.expires_after(std::chrono::milliseconds(100));
    pause.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }
};

HttpServer::HttpServer(const std::string& host, int port, const Limits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->all.limits = limits;
  impl_->listen(host, port);
}

HttpServer::~HttpServer() {
  stop();
  impl_->all.busy.clear();  // before the loop, which their sockets belong to
}

void HttpServer::stop() {
  impl_->loop.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void HttpServer::start(HttpHandler handler) {
  LB_CHECK(!impl_->thread.joinable());
  impl_->all.handler = std::move(handler);
  impl_->accept();
  impl_->thread = std::thread([this] { impl_->loop.run(); });
}

void HttpServer::post(std::function<void()> work) { asio::post(impl_->loop, std::move(work)); }

void HttpServer::every(std::chrono::milliseconds period, std::function<void()> work) {
  LB_CHECK(!impl_->thread.joinable());
  repeat(impl_->repeated.emplace_back(Repeated{asio::steady_timer(impl_->loop), period, std::move(work)}));
}

int HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
void HttpServer::stop_keep_alive() { impl_->all.keep_alive = false; }
int HttpServer::busy() const { return static_cast<int>(impl_->all.busy.size()); }
int HttpServer::connections() const { return impl_->all.open; }
const std::map<int, std::uint64_t>& HttpServer::answers() const { return impl_->all.answers; }

}  // namespace layerboost
