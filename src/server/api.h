// The server's addresses: which answer belongs to which path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/api_request.h"
#include "server/completion_answer.h"
#include "server/http_server.h"
#include "server/worker.h"

namespace layerboost {

/// OpenAI's API, health and metrics, and the live page. For the loop's thread; what takes long is done by a worker.
class Api {
 public:
  /// `http` and `engine` must outlive it, and so must what `reader` refers to. `api_key` empty: everybody may ask.
  Api(HttpServer& http, Engine& engine, const ApiReader& reader, ServerInfo info, std::string api_key);

  void handle(HttpRequest request, const std::shared_ptr<HttpReply>& reply);

  /// From now on /ready and requests for work are answered with 503.
  void drain() { draining_ = true; }

 private:
  using Later = std::function<void()>;  // to be done on the loop's thread
  using Read = ApiRequest (ApiReader::*)(std::string_view) const;

  [[nodiscard]] HttpAnswer get(const HttpRequest& request);
  void post(HttpRequest request, const std::shared_ptr<HttpReply>& reply);
  void generate(std::string body, const std::shared_ptr<HttpReply>& reply, Read read);
  void convert(std::string body, const std::shared_ptr<HttpReply>& reply,
               std::function<Json(std::string_view)> convert);
  void in_worker(const std::shared_ptr<HttpReply>& reply, std::function<Later()> work);
  void check_key(const HttpRequest& request) const;
  [[nodiscard]] Json models() const;
  [[nodiscard]] Json tokenizer_info() const;

  HttpServer& http_;
  Engine& engine_;
  const ApiReader reader_;
  const ServerInfo info_;
  const std::string api_key_;
  Metrics metrics_;
  AnswerContext answers_;
  bool draining_ = false;
  Worker worker_;  // last, because it uses the others
};

}  // namespace layerboost
