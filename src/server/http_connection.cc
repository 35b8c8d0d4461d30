#include "server/http_connection.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <limits>
#include <memory>
#include <new>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "server/api_error.h"
#include "server/body_framing.h"
#include "server/http_head.h"
#include "server/http_request_head.h"
#include "server/request_id.h"

namespace layerboost {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr std::chrono::seconds linger_time(2);                     // for a client to see the end of a connection
constexpr milliseconds look_period(100);                           // after a client that has sent more than its request
constexpr std::size_t piece_size = 4096, body_piece_size = 16384;  // bytes read at a time

/// A connection is reading a request, or answering it, or closing. Reading and writing each have at most one
/// operation under way.
class Connection final : public HttpReply, public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, HttpConnections& all, bool spare)
      : stream_(std::move(socket)),
        clock_(stream_.get_executor()),
        silence_(stream_.get_executor()),
        all_(all),
        spare_(spare) {
    place_.emplace_back([this] { make_room(); });
    ++all_.open;
    set_options();
  }
  ~Connection() override { give_up_place(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void wait_for_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(all_.limits.head));
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // what is too long is refused with a better word
    head_ = {};
    head_size_ = 0;
    begun_ = false;
    phase_ = framing_ && !framing_->complete() ? Phase::rest : Phase::head;
    if (buffer_.capacity() > piece_size) buffer_.shrink_to_fit();
    wait_in_line();
    stream_.expires_after(all_.limits.idle);
    advance();
  }

  void send(const HttpAnswer& answer) override {
    if (!answering_) return;
    waiting_ += http_head({.status = answer.status,
                           .type = answer.type,
                           .headers = with_common(answer.headers),
                           .id = head_.request.id,
                           .length = answer.body.size(),
                           .keep_alive = stays()});
    if (head_.request.method != "HEAD") waiting_ += answer.body;
    count(answer.status);
    complete_ = true;
    write_waiting();
  }

  void begin_stream(const std::string& type, const HttpHeaders& headers, std::string_view filler) override {
    if (!answering_) return;
    keep_alive_ = keep_alive_ && head_.http11;  // without chunks only the connection's end ends it
    waiting_ += http_head({.status = 200,
                           .type = type,
                           .headers = with_common(headers),
                           .id = head_.request.id,
                           .chunked = head_.http11,
                           .keep_alive = stays()});
    filler_ = filler;
    count(200);
    write_waiting();
    end_silence_after(all_.limits.silence);
  }

  void write(std::string piece) override {
    if (!answering_ || piece.empty()) return;
    waiting_ += head_.http11 ? http_chunk(piece) : piece;
    write_waiting();
  }

  void end_stream() override {
    if (!answering_) return;
    if (head_.http11) waiting_ += last_http_chunk;
    complete_ = true;
    write_waiting();
  }

  void fail(const std::exception& why) noexcept override {
    warn_unexpected("a request", why);
    try {
      if (answering_ ? status_ == 0 : begun_ && (phase_ == Phase::head || phase_ == Phase::body)) {
        waiting_.clear();
        return refuse(
            dynamic_cast<const std::bad_alloc*>(&why) != nullptr
                ? ApiError(503, "server_error", "the server has no memory left for this request; try again later")
                      .with("Retry-After", "1")
                : ApiError(500, "server_error", "unexpected error"));
      }
    } catch (const std::exception& again) {
      warn_unexpected("a request", again);
    }
    leave();
  }

  void on_gone(std::function<void()> callback) override {
    if (answering_) {
      gone_ = std::move(callback);
    } else {
      callback();  // it left while its request was on the way here
    }
  }

  RequestFigures& figures() override { return figures_; }

 private:
  enum class Phase {
    rest,    // what is left of the body of a request that its head was enough for
    head,    // of the next request, or nothing yet
    body,    // of a request
    answer,  // to it
    linger,  // until the client has seen the end of the connection
  };

  /// A client whose machine is gone without a word is noticed after a minute and a half.
  void set_options() {
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    stream_.socket().set_option(asio::socket_base::keep_alive(true), ignored);
    const int handle = stream_.socket().native_handle();
    const std::pair<int, int> options[] = {{TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 10}, {TCP_KEEPCNT, 3}};
    for (const auto& [name, value] : options) ::setsockopt(handle, IPPROTO_TCP, name, &value, sizeof value);
  }

  /// What is called when an operation ends: keeps the connection alive until then. Whatever `work` can't do ends the
  /// request, not the server.
  template <typename Work>
  auto then(Work work) {
    return [self = shared_from_this(), work = std::move(work)](const error_code& error, std::size_t size = 0) {
      try {
        work(error, size);
      } catch (const ApiError& refusal) {
        self->try_to_refuse(refusal);
      } catch (const std::exception& why) {
        self->fail(why);
      }
    };
  }

  // Places.

  /// From now on the connection may have to make room: others have waited longer.
  void wait_in_line() {
    leave_line();
    all_.unneeded.splice(all_.unneeded.end(), place_);
    in_line_ = std::prev(all_.unneeded.end());
  }

  void leave_line() {
    if (place_.empty()) place_.splice(place_.begin(), all_.unneeded, in_line_);
  }

  void give_up_place() {
    leave_line();
    if (std::exchange(has_place_, false)) --all_.open;
  }

  void make_room() {
    give_up_place();
    close();
  }

  // Reading.

  void read_more() {
    const std::size_t most = phase_ == Phase::body || phase_ == Phase::rest ? body_piece_size : piece_size;
    stream_.async_read_some(buffer_.prepare(most), then([this](const error_code& error, std::size_t size) {
                              if (error) return give_up(error == beast::error::timeout ? too_slow : client_left);
                              buffer_.commit(size);
                              advance();
                            }));
  }

  /// The client has left, or its time is over.
  void give_up(int status) {
    if (phase_ == Phase::body) record(status);
    close();
  }

  /// Goes on with what has been read, and reads more where that isn't enough.
  void advance() {
    if (phase_ == Phase::rest) {
      while (!take_body().empty()) {
      }
      if (framing_->complete()) phase_ = Phase::head;
    }
    if (phase_ == Phase::head && parse_head()) return take_head();
    if (phase_ == Phase::body) {
      for (std::string_view piece = take_body(); !piece.empty(); piece = take_body()) {
        if (!body_->append(piece))
          throw ApiError(503, "server_error", "too many large requests are being read; try again in a moment")
              .with("Retry-After", "1");
      }
      if (framing_->complete()) return hand_over();
    }
    read_more();
  }

  /// The next piece of the body that has been read, which is valid until more is; empty: there is none.
  std::string_view take_body() {
    std::string_view bytes(static_cast<const char*>(buffer_.cdata().data()), buffer_.size());
    const std::string_view piece = framing_->next(bytes);
    buffer_.consume(buffer_.size() - bytes.size());
    return piece;
  }

  /// Whether the head is complete.
  bool parse_head() {
    if (!begun_) overlook_empty_lines();
    const std::string_view bytes(static_cast<const char*>(buffer_.cdata().data()), buffer_.size());
    if (bytes.empty() || (!begun_ && bytes == "\r")) return false;
    if (!std::exchange(begun_, true)) {
      since_ = Stopwatch();
      stream_.expires_after(all_.limits.head_time);
      wait_in_line();
    }
    error_code error;
    const std::size_t used = parser_->put(buffer_.cdata(), error);
    buffer_.consume(used);
    head_size_ += used;
    const bool complete = !error && parser_->is_header_done();
    if (error == http::error::header_limit || head_size_ + (complete ? 0 : buffer_.size()) > all_.limits.head)
      throw ApiError(431, "invalid_request_error",
                     fmt::format("the headers are larger than {} bytes", all_.limits.head));
    if (error && error != http::error::need_more)
      layerboost::refuse("", "not a valid HTTP request: {}", error.message());
    return complete;
  }

  /// Skips empty lines, some of which may come before a request (RFC 9112, section 2.2).
  void overlook_empty_lines() {
    while (buffer_.size() >= 2 && std::string_view(static_cast<const char*>(buffer_.cdata().data()), 2) == "\r\n") {
      buffer_.consume(2);
      head_size_ += 2;
    }
  }

  void take_head() {
    leave_line();
    framing_.reset();
    read_request_head(*parser_, head_);
    if (head_.chunked) {
      framing_.emplace(all_.limits.body, all_.limits.head);
    } else {
      framing_.emplace(head_.length);
    }
    if (const std::optional<HttpAnswer> answer = all_.handler.by_head(head_.request)) {
      begin_answer(head_.keep_alive && !spare_ && rest_is_small());
      return send(*answer);
    }
    if (!head_.chunked && head_.length > all_.limits.body) throw body_too_large(all_.limits.body);
    if (spare_)
      throw ApiError(503, "server_error", "as many connections are being served as there may be; try again in a moment")
          .with("Retry-After", "1");
    body_ = std::make_shared<HttpBody>(all_.bodies, head_.chunked ? all_.limits.body : head_.length);
    phase_ = Phase::body;
    stream_.expires_after(all_.limits.body_time);
    if (head_.expects_continue && !framing_->complete()) return ask_for_body();
    advance();
  }

  /// Whether reading on costs less than a new connection. A client that waits to be asked for its body doesn't send it.
  [[nodiscard]] bool rest_is_small() const {
    constexpr std::uint64_t small = 65536;
    return framing_->complete() || (!head_.chunked && head_.length <= small && !head_.expects_continue);
  }

  void ask_for_body() {
    asio::async_write(stream_, asio::buffer(http_continue), then([this](const error_code& error, std::size_t) {
                        if (error) return close();
                        advance();
                      }));
  }

  void hand_over() {
    HttpRequest request = head_.request;
    request.body = std::move(body_);
    begin_answer(head_.keep_alive);
    watch();
    all_.handler.with_body(std::move(request), shared_from_this());
  }

  // Answering.

  void begin_answer(bool keep_alive) {
    leave_line();
    stream_.expires_never();
    body_ = nullptr;  // where it is refused, it isn't needed any more
    phase_ = Phase::answer;
    answering_ = true;
    complete_ = half_closed_ = false;
    status_ = 0;
    keep_alive_ = keep_alive;
    filler_ = {};
    figures_ = {};
    if (head_.request.id.empty()) head_.request.id = request_id("");
    all_.busy.insert(shared_from_this());
  }

  /// Answers what can't be read on, or not be answered, with an error.
  void refuse(const ApiError& why) {
    if (!answering_) begin_answer(false);
    keep_alive_ = false;
    send(why.answer());
  }

  void try_to_refuse(const ApiError& why) noexcept {
    try {
      if (!answering_) return refuse(why);
    } catch (const std::exception& error) {
      return fail(error);
    }
    fail(why);
  }

  [[nodiscard]] HttpHeaders with_common(HttpHeaders headers) const {
    if (!all_.handler.headers) return headers;
    for (auto& header : all_.handler.headers(head_.request)) headers.push_back(std::move(header));
    return headers;
  }

  void count(int status) {
    status_ = status;
    ++all_.answers[status];
  }

  void write_waiting() {
    if (writing_) return;
    if (waiting_.empty()) {
      if (complete_) end_answer();
      return;
    }
    written_ = std::exchange(waiting_, {});
    since_written_ = Stopwatch();
    stream_.expires_after(all_.limits.write_time);
    asio::async_write(stream_, asio::buffer(written_), then([this](const error_code& error, std::size_t) {
                        writing_ = false;
                        if (!answering_) return;
                        if (error) return leave();
                        stream_.expires_never();
                        write_waiting();
                      }));
    writing_ = true;
  }

  /// Sends the filler of a stream that has been silent for as long as it may: while a request waits in the queue or its
  /// prompt is read, a proxy on the way would take the stream for dead.
  void end_silence_after(milliseconds time) {
    silence_.expires_after(time);
    silence_.async_wait(then([this](const error_code& error, std::size_t) {
      if (error || !answering_ || complete_) return;
      const milliseconds limit = all_.limits.silence;
      const milliseconds silent(static_cast<milliseconds::rep>(1000 * since_written_.seconds()));
      if (!writing_ && silent >= limit) write(std::string(filler_));
      end_silence_after(silent >= limit ? limit : limit - silent);
    }));
  }

  /// Whether the connection goes on after this answer.
  [[nodiscard]] bool stays() const { return keep_alive_ && all_.keep_alive; }

  void end_answer() {
    const auto self = shared_from_this();  // perhaps the last
    forget_answer();
    gone_ = nullptr;
    record(status_);
    if (stays()) return wait_for_request();
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(linger_time);
    phase_ = Phase::linger;
    wait_in_line();
    linger(all_.limits.body + all_.limits.head);
  }

  void forget_answer() {
    answering_ = false;
    all_.busy.erase(shared_from_this());
    error_code ignored;
    clock_.cancel(ignored);
    silence_.cancel(ignored);
  }

  void record(int status) noexcept {
    if (!all_.handler.ended) return;
    const HttpRequest& request = head_.request;
    try {
      all_.handler.ended({request.id, request.method, request.path, status, since_.seconds(), figures_});
    } catch (const std::exception& error) {
      warn_unexpected("a request", error);
    }
  }

  /// Closing while the client still sends would reset the connection, and could take the answer away from it. `most`:
  /// bytes that it may still send.
  void linger(std::size_t most) {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(body_piece_size),
                            then([this, most](const error_code& error, std::size_t size) {
                              if (error || size >= most) return close();
                              linger(most - size);
                            }));
  }

  // Clients that leave before their answer is complete.

  /// Looks out for the end of the connection while an answer is made.
  void watch() {
    if (std::exchange(watching_, true)) return;
    stream_.socket().async_wait(asio::socket_base::wait_read, then([this](const error_code& error, std::size_t) {
                                  watching_ = false;
                                  if (!error) look();
                                }));
  }

  /// The client sends no more: it has left, or it has said all and waits. Only its answer to what is sent tells.
  void look() {
    if (!answering_) return;
    pollfd state{.fd = stream_.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
    ::poll(&state, 1, 0);
    if ((state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return leave();
    if ((state.revents & POLLRDHUP) == 0) return look_again_after(look_period);  // the next request has come
    if (std::exchange(half_closed_, true)) {
      probe();
      patience_ *= 2;
    } else {
      patience_ = all_.limits.said_all;
      watch_for_reset();
    }
    if (answering_) look_again_after(patience_);
  }

  void look_again_after(milliseconds time) {
    clock_.expires_after(time);
    clock_.async_wait(then([this](const error_code& error, std::size_t) {
      if (!error) look();
    }));
  }

  /// Sends what means nothing; a machine whose program has closed the connection answers by resetting it.
  void probe() {
    if (writing_ || complete_) return;
    if (status_ != 0) return write(std::string(filler_));
    if (!head_.http11) return leave();  // nothing may be sent to it before the answer
    waiting_ += http_continue;
    write_waiting();
  }

  void watch_for_reset() {
    if (std::exchange(awaiting_reset_, true)) return;
    stream_.socket().async_wait(asio::socket_base::wait_error, then([this](const error_code& error, std::size_t) {
                                  awaiting_reset_ = false;
                                  if (!error) leave();
                                }));
  }

  /// The client is gone before its answer was complete.
  void leave() noexcept {
    const auto self = shared_from_this();  // perhaps the last
    close();
    if (!answering_) return;
    forget_answer();
    const auto callback = std::exchange(gone_, nullptr);
    record(client_left);
    try {
      if (callback && !complete_) callback();
    } catch (const std::exception& error) {
      warn_unexpected("a request", error);
    }
  }

  void close() { stream_.close(); }

  // For the record alone.
  static constexpr int client_left = 499;  // as nginx has it
  static constexpr int too_slow = 408;

  beast::tcp_stream stream_;
  asio::steady_timer clock_;    // while an answer is made
  asio::steady_timer silence_;  // of a stream
  HttpConnections& all_;
  const bool spare_;
  bool has_place_ = true;
  std::list<std::function<void()>> place_;  // of one element, or none while it is in all_.unneeded
  std::list<std::function<void()>>::iterator in_line_;

  Phase phase_ = Phase::head;
  beast::flat_buffer buffer_;
  std::optional<HeadParser> parser_;
  RequestHead head_;
  std::size_t head_size_ = 0;  // bytes of it so far
  bool begun_ = false;         // the head's first byte has come
  Stopwatch since_;            // then
  std::optional<BodyFraming> framing_;
  std::shared_ptr<HttpBody> body_;

  std::string waiting_, written_;  // written_ is on its way, waiting_ follows
  Stopwatch since_written_;        // since written_ was sent on its way
  std::string_view filler_;        // of a stream
  std::function<void()> gone_;
  RequestFigures figures_;
  int status_ = 0;          // of the answer; 0: it hasn't begun
  bool answering_ = false;  // a request has been read; its answer isn't all written
  bool complete_ = false;   // the answer's last byte is in waiting_ or written_
  bool keep_alive_ = true;  // the connection is to go on after this answer
  bool writing_ = false, watching_ = false, awaiting_reset_ = false;
  bool half_closed_ = false;  // the client sends no more
  milliseconds patience_{};   // until it is asked to show that it is there
};

}  // namespace

bool HttpConnections::make_room() {
  if (unneeded.empty()) return false;
  const auto end_it = unneeded.front();  // takes itself from the list
  end_it();
  return true;
}

void serve_connection(asio::ip::tcp::socket socket, HttpConnections& all, bool spare) {
  std::make_shared<Connection>(std::move(socket), all, spare)->wait_for_request();
}

}  // namespace layerboost
