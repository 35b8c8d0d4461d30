// The server's addresses: which answer belongs to which path.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/allowed_hosts.h"
#include "server/api_request.h"
#include "server/completion_answer.h"
#include "server/http_server.h"
#include "server/worker.h"

namespace layerboost {

/// Who may ask.
struct ApiAccess {
  std::string key;                   // empty: everybody
  AllowedHosts hosts;                // by these names
  std::vector<std::string> origins;  // pages of these sites, beside the server's own; "*": of all
};

/// OpenAI's API, health and metrics, and the live page. For the loop's thread; what takes long is done by a worker.
class Api {
 public:
  /// Requires: `http`, `engine` and what `reader` refers to outlive this.
  Api(HttpServer& http, Engine& engine, const ApiReader& reader, ServerInfo info, ApiAccess access);

  /// All but what generates, tokenises and detokenises, which needs a body: work.
  [[nodiscard]] std::optional<HttpAnswer> answer_by_head(const HttpRequest& request);
  /// Work, which answer_by_head() has let pass.
  void work(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);

  /// What lets the page that asks read the answer, where its site may.
  [[nodiscard]] HttpHeaders headers_for_page(const HttpRequest& request) const;

  /// From now on /ready and requests for work are answered with 503.
  void drain() { draining_ = true; }

 private:
  using Later = std::function<void()>;  // to be done on the loop's thread
  using Read = ApiRequest (ApiReader::*)(std::string_view, const std::optional<std::string>&) const;

  [[nodiscard]] std::string allowed_methods(const std::string& path) const;
  [[nodiscard]] ApiError wrong_method(const HttpRequest& request) const;
  [[nodiscard]] bool allows_page(const HttpRequest& request) const;
  [[nodiscard]] HttpAnswer options_answer(const HttpRequest& request, std::string allowed) const;
  void check_work(const HttpRequest& request) const;
  [[nodiscard]] HttpAnswer get(const HttpRequest& request);
  void generate(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply, Read read);
  void convert(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply,
               std::function<Json(std::string_view)> convert);
  void in_worker(const std::shared_ptr<HttpReply>& reply, std::function<Later()> work);
  void check_host(const HttpRequest& request) const;
  void check_key(const HttpRequest& request) const;
  [[nodiscard]] Json models() const;
  [[nodiscard]] Json model(const std::string& name) const;
  [[nodiscard]] Json tokenizer_info() const;

  HttpServer& http_;
  Engine& engine_;
  const ApiReader reader_;
  const ServerInfo info_;
  const ApiAccess access_;
  Metrics metrics_;
  AnswerContext answers_;
  bool draining_ = false;
  Worker worker_, writer_;  // reads requests; puts large answers together. Last, because they use the others
};

}  // namespace layerboost
