#include "server/http_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "server/api_error.h"
#include "server/http_head.h"

namespace layerboost {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds farewell_time(2);  // for a client to see the end of a connection

/// A connection is reading a request, or answering it, or has said goodbye. Reading and writing each have at most one
/// operation under way.
class Connection final : public HttpReply, public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, HttpConnections& all) : stream_(std::move(socket)), all_(all) {
    ++all_.open;
    set_options();
  }
  ~Connection() override { --all_.open; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(all_.limits.head));
    parser_->body_limit(all_.limits.body);
    if (buffer_.size() > 0) {  // the client didn't wait for the answer before
      read_head();
      return;
    }
    stream_.expires_after(all_.limits.idle);
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t size) {
      self->buffer_.commit(size);
      if (!error) self->read_head();
    });
  }

  void send(const HttpAnswer& answer) override {
    if (!answering_) return;
    ++all_.answers[answer.status];
    const bool with_body = parser_->get().method() != http::verb::head;
    waiting_ += http_head(answer.status, answer.type, answer.headers, answer.body.size(), false, stays());
    if (with_body) waiting_ += answer.body;
    complete_ = true;
    write_waiting();
  }

  void begin_stream(const std::string& type, const HttpHeaders& headers) override {
    if (!answering_) return;
    keep_alive_ = keep_alive_ && chunked_;  // without chunks only the connection's end ends it
    ++all_.answers[200];
    waiting_ += http_head(200, type, headers, std::nullopt, chunked_, stays());
    write_waiting();
  }

  void write(std::string piece) override {
    if (!answering_ || piece.empty()) return;
    waiting_ += chunked_ ? http_chunk(piece) : piece;
    write_waiting();
  }

  void end_stream() override {
    if (!answering_) return;
    if (chunked_) waiting_ += last_http_chunk;
    complete_ = true;
    write_waiting();
  }

  void on_gone(std::function<void()> callback) override {
    if (answering_) gone_ = std::move(callback);
  }

 private:
  /// A client whose machine is gone without a word is noticed after a minute and a half.
  void set_options() {
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    stream_.socket().set_option(asio::socket_base::keep_alive(true), ignored);
    const int handle = stream_.socket().native_handle();
    const std::pair<int, int> options[] = {{TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 10}, {TCP_KEEPCNT, 3}};
    for (const auto& [name, value] : options) ::setsockopt(handle, IPPROTO_TCP, name, &value, sizeof value);
  }

  void read_head() {
    stream_.expires_after(all_.limits.head_time);
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->refuse_unread(error);
      self->stream_.expires_after(self->all_.limits.body_time);
      if (beast::iequals(self->parser_->get()[http::field::expect], "100-continue")) return self->ask_for_body();
      self->read_body();
    });
  }

  void ask_for_body() {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(go_on), [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->refuse_unread(error);
      self->begin_answer();
      self->call_handler();
    });
  }

  void begin_answer() {
    const auto& message = parser_->get();
    stream_.expires_never();
    answering_ = true;
    complete_ = false;
    all_.busy.insert(shared_from_this());
    chunked_ = message.version() >= 11;
    keep_alive_ = message.keep_alive();
    watch();
  }

  void call_handler() {
    auto& message = parser_->get();
    const auto text = [](beast::string_view view) { return std::string(view.data(), view.size()); };
    HttpRequest request;
    request.method = text(message.method_string());
    request.path = text(message.target());
    request.path = request.path.substr(0, request.path.find_first_of("?#"));
    request.content_type = text(message[http::field::content_type]);
    request.authorization = text(message[http::field::authorization]);
    request.body = std::move(message.body());
    try {
      all_.handler(std::move(request), shared_from_this());
    } catch (const std::exception& error) {
      warn("unexpected error in a request: {}", error.what());
      send(ApiError(500, "server_error", "unexpected error").answer());
    }
  }

  /// Says what was wrong with a request that couldn't be read, unless the client has left or sent nothing sensible to
  /// answer to.
  void refuse_unread(const error_code& error) {
    std::optional<ApiError> why;
    if (error == http::error::body_limit) {
      why.emplace(413, "invalid_request_error",
                  fmt::format("the body is larger than {} bytes; send less, or start the server with a larger "
                              "--max-body",
                              all_.limits.body));
    } else if (error == http::error::header_limit) {
      why.emplace(431, "invalid_request_error", fmt::format("the headers are larger than {} bytes", all_.limits.head));
    } else if (error == beast::error::timeout) {
      return;  // the stream has closed the connection
    } else if (error.category() == make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      why.emplace(400, "invalid_request_error", fmt::format("not a valid HTTP request: {}", error.message()));
    }
    if (!why) return close();
    begin_answer();
    keep_alive_ = false;
    send(why->answer());
  }

  /// Looks out for the end of the connection while an answer is made.
  void watch() {
    if (watching_) return;
    watching_ = true;
    stream_.socket().async_wait(asio::socket_base::wait_read, [self = shared_from_this()](error_code error) {
      self->watching_ = false;
      if (error || !self->answering_) return;
      char byte = 0;
      const ssize_t size = ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      // Otherwise the next request has come, and the end of the connection is seen by writing.
      if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) self->leave();
    });
  }

  /// The client is gone before its answer was complete.
  void leave() {
    if (!answering_) return;
    const auto self = shared_from_this();  // perhaps the last
    answering_ = false;
    all_.busy.erase(self);
    const auto callback = std::exchange(gone_, nullptr);
    if (callback && !complete_) callback();
    close();
  }

  void write_waiting() {
    if (writing_) return;
    if (waiting_.empty()) {
      if (complete_) end_answer();
      return;
    }
    writing_ = true;
    written_ = std::exchange(waiting_, {});
    stream_.expires_after(all_.limits.write_time);
    asio::async_write(stream_, asio::buffer(written_), [self = shared_from_this()](error_code error, std::size_t) {
      self->writing_ = false;
      if (!self->answering_) return;
      if (error) return self->leave();
      self->stream_.expires_never();
      self->write_waiting();
    });
  }

  /// Whether the connection goes on after this answer.
  [[nodiscard]] bool stays() const { return keep_alive_ && all_.keep_alive; }

  void end_answer() {
    const auto self = shared_from_this();  // perhaps the last
    answering_ = false;
    all_.busy.erase(self);
    gone_ = nullptr;
    if (stays()) return read_request();
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(farewell_time);
    say_goodbye();
  }

  /// Closing while the client still sends would reset the connection, and could take the answer away from it.
  void say_goodbye() {
    stream_.async_read_some(asio::buffer(ignored_), [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->close();
      self->say_goodbye();
    });
  }

  void close() { stream_.close(); }

  beast::tcp_stream stream_;
  HttpConnections& all_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::array<char, 4096> ignored_{};
  std::string waiting_, written_;  // written_ is on its way, waiting_ follows
  std::function<void()> gone_;
  bool answering_ = false;  // a request has been read; its answer isn't all written
  bool complete_ = false;   // the answer's last byte is in waiting_ or written_
  bool writing_ = false, watching_ = false;
  bool chunked_ = true, keep_alive_ = true;  // of this answer
};

}  // namespace

void serve_connection(asio::ip::tcp::socket socket, HttpConnections& all) {
  std::make_shared<Connection>(std::move(socket), all)->read_request();
}

}  // namespace layerboost
