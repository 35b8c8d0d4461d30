// A request and the way to answer it, as the API sees them: no sockets in here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerboost {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // without what follows '?'
  std::string content_type, authorization;
  std::string body;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  HttpHeaders headers = {};
};

/// Where the answer to one request goes: send(), or begin_stream(), any number of write() and end_stream(). For the
/// loop's thread only. Ends with its answer, with its client or with the server, so whoever answers later keeps a weak
/// pointer to it.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  /// The whole answer.
  virtual void send(const HttpAnswer& answer) = 0;
  /// Status 200 and headers; the body follows in pieces.
  virtual void begin_stream(const std::string& type, const HttpHeaders& headers) = 0;
  virtual void write(std::string piece) = 0;
  virtual void end_stream() = 0;
  /// Calls `callback` once, on the loop's thread, if the client leaves before its answer is complete.
  virtual void on_gone(std::function<void()> callback) = 0;
};

using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<HttpReply>)>;

}  // namespace layerboost
