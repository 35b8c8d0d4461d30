// A request and the way to answer it, as the API sees them: no sockets in here.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http_body.h"
#include "server/level_table.h"

namespace layerboost {

struct HttpRequest {
  std::string id;      // the client's X-Request-Id, or one made for it: printable
  std::string method;  // "GET"
  std::string path;    // without what follows '?', %XX decoded
  std::string host;    // whom the client means to ask, with the port; may be empty
  std::string origin;  // of the page that asks; empty: no page does, or its browser doesn't say so
  std::string content_type, content_encoding, authorization;
  std::optional<std::string> level;      // X-Layerboost-Level; of several, all with commas between them
  std::shared_ptr<const HttpBody> body;  // once it has come
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  HttpHeaders headers = {};
};

/// What is to be recorded of a request beside what its connection knows; empty: doesn't apply. What else an answer may
/// be told apart by belongs here.
struct RequestFigures {
  std::optional<double> queued, first_token;  // seconds
  std::optional<std::size_t> prompt_tokens, generated_tokens;
  std::optional<LevelSpan> levels = {};  // of all its sequences: the lowest first and the highest last one
};

/// A request that has ended.
struct RequestRecord {
  std::string id, method, path;  // of the path no more than a line can take; where no head could be read, empty
  int status = 0;                // 499: the client left before the answer was complete
  double seconds = 0;            // from the request's first byte to the answer's last
  RequestFigures figures;
};

/// Where the answer to one request goes: send(), or begin_stream(), any number of write() and end_stream(). For the
/// loop's thread only. Ends with its answer, with its client or with the server, so whoever answers later keeps a weak
/// pointer to it.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  /// The whole answer.
  virtual void send(const HttpAnswer& answer) = 0;
  /// Status 200 and headers; the body follows in pieces. `filler` is a piece that means nothing: it may be written at
  /// any time to see whether the client is still there, and is in a stream that was silent for long.
  virtual void begin_stream(const std::string& type, const HttpHeaders& headers, std::string_view filler) = 0;
  virtual void write(std::string piece) = 0;
  virtual void end_stream() = 0;
  /// In place of an answer that can't be made, for want of memory or by a fault of ours: an error, or, where the answer
  /// has begun, the end of the connection.
  virtual void fail(const std::exception& why) noexcept = 0;
  /// Calls `callback` once, on the loop's thread, if the client leaves before its answer is complete: at
  /// once if it has left already.
  virtual void on_gone(std::function<void()> callback) = 0;
  /// What the record of the request will say of its work: filled in while the answer is made.
  virtual RequestFigures& figures() = 0;
};

/// What a server does with requests. All is called on the loop's thread. Requires: it is quick.
struct HttpHandler {
  /// The answer to a request whose head is enough for that, or tells that it will be refused; its body isn't read.
  std::function<std::optional<HttpAnswer>(const HttpRequest&)> by_head;
  /// Takes every other request, with its body.
  std::function<void(HttpRequest, std::shared_ptr<HttpReply>)> with_body;
  /// Headers for whatever the answer to a request is; may be empty.
  std::function<HttpHeaders(const HttpRequest&)> headers = nullptr;
  /// Is told of each request's end; may be empty.
  std::function<void(const RequestRecord&)> ended = nullptr;
};

}  // namespace layerboost
