#include "server/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <new>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "server/http_connection.h"

namespace layerboost {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds for_memory(10);  // until there may be some again
constexpr int spare_connections = 16;                // beyond the limit, so that there is always one for /health

struct Repeated {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> work;
  bool waits = false;  // for its time
};

void repeat(Repeated& repeated) {
  repeated.timer.expires_after(repeated.period);
  repeated.timer.async_wait([&repeated](error_code error) {
    repeated.waits = false;
    if (error) return;
    repeated.work();
    repeat(repeated);
  });
  repeated.waits = true;
}

}  // namespace

struct HttpServer::Impl {
  HttpConnections all;  // outlives the connections, which live in the loop's pending operations
  asio::io_context loop{1};
  tcp::acceptor acceptor{loop};
  asio::steady_timer pause{loop};
  std::list<Repeated> repeated;
  bool accepting = false;  // or waiting to do so
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
      fail("can't listen on {} port {}: {}; choose another `host` or `port`", host, port, error.code().message());
    }
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      accepting = false;
      if (!error) take(std::move(socket));
      if (error && !(error == asio::error::no_descriptors && all.make_room())) return wait_and_accept();
      accept();
    });
    accepting = true;
  }

  void take(tcp::socket socket) {
    const auto has_place = [this] { return all.open < all.limits.connections; };
    if (!has_place()) all.make_room();
    if (all.open < all.limits.connections + spare_connections) serve_connection(std::move(socket), all, !has_place());
  }

  /// What stands in the way, such as too many open files, passes.
  void wait_and_accept() {
    pause.expires_after(std::chrono::milliseconds(100));
    pause.async_wait([this](error_code error) {
      accepting = false;
      if (!error) accept();
    });
    accepting = true;
  }

  /// What fails in here, and isn't a request's, is begun again.
  void run() {
    for (;;) {
      try {
        if (!accepting) accept();
        for (Repeated& each : repeated) {
          if (!each.waits) repeat(each);
        }
        loop.run();
        return;
      } catch (const std::exception& error) {
        warn_unexpected("the server", error);
        std::this_thread::sleep_for(for_memory);
      }
    }
  }
};

HttpServer::HttpServer(const std::string& host, int port, const Limits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->all.limits = limits;
  impl_->all.bodies = std::make_shared<BodyBudget>(std::max(limits.bodies, limits.body));
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
  impl_->thread = std::thread([this] { impl_->run(); });
}

void HttpServer::post(std::function<void()> work) {
  std::shared_ptr<std::function<void()>> kept;
  for (;;) {
    try {
      if (!kept) kept = std::make_shared<std::function<void()>>();
      if (work) kept->swap(work);
      asio::post(impl_->loop, [kept] { (*kept)(); });
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(for_memory);
    }
  }
}

void HttpServer::every(std::chrono::milliseconds period, std::function<void()> work) {
  LB_CHECK(!impl_->thread.joinable());
  impl_->repeated.emplace_back(Repeated{asio::steady_timer(impl_->loop), period, std::move(work)});
}

int HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
bool HttpServer::on_loopback() const { return impl_->acceptor.local_endpoint().address().is_loopback(); }
void HttpServer::stop_keep_alive() { impl_->all.keep_alive = false; }
int HttpServer::busy() const { return static_cast<int>(impl_->all.busy.size()); }
int HttpServer::connections() const { return impl_->all.open; }
const std::map<int, std::uint64_t>& HttpServer::answers() const { return impl_->all.answers; }

}  // namespace layerboost
