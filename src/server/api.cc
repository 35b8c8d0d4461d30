#include "server/api.h"

#include <openssl/crypto.h>

#include "base/log.h"
#include "server/api_error.h"
#include "server/json_answer.h"
#include "server/page.h"
#include "server/percent_encoding.h"

namespace layerboost {
namespace {

constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

bool is_work(std::string_view path) {
  constexpr std::string_view paths[] = {"/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"};
  return std::find(std::begin(paths), std::end(paths), path) != std::end(paths);
}

ApiError not_found(const std::string& path) {
  return {404, "invalid_request_error",
          fmt::format("nothing is at {}; there are /v1/completions, /v1/chat/completions, /v1/models, /tokenize, "
                      "/detokenize, /health, /ready and /metrics",
                      path.substr(0, 100))};
}

/// Pages of other sites may send texts and forms to any address, a server on this machine among them, but not JSON.
void check_content_type(const HttpRequest& request) {
  if (request.content_type.starts_with("application/json")) return;
  throw ApiError(415, "invalid_request_error", "the body must be JSON; send it with Content-Type: application/json");
}

HttpAnswer ready_answer(bool draining) {
  return json_answer({{"status", draining ? "stopping" : "ready"}}, draining ? 503 : 200);
}

}  // namespace

Api::Api(HttpServer& http, Engine& engine, const ApiReader& reader, ServerInfo info, std::string api_key)
    : http_(http),
      engine_(engine),
      reader_(reader),
      info_(std::move(info)),
      api_key_(std::move(api_key)),
      answers_{engine, reader_.tokenizer, info_, metrics_, [&http](Later later) { http.post(std::move(later)); }} {}

void Api::handle(HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
  try {
    if (request.method == "GET" || request.method == "HEAD") return reply->send(get(request));
    if (request.method == "POST") return post(std::move(request), reply);
    throw ApiError(405, "invalid_request_error", "only GET, HEAD and POST are understood");
  } catch (const ApiError& error) {
    reply->send(error.answer());
  }
}

HttpAnswer Api::get(const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/") return page_answer();
  if (path == "/health") return json_answer({{"status", "ok"}});
  if (path == "/ready") return ready_answer(draining_);
  if (path == "/version") return json_answer({{"version", LAYERBOOST_VERSION}});
  if (path == "/metrics") {
    metrics_.connections = http_.connections();
    return {.type = std::string(metrics_type),
            .body = prometheus_text(metrics_, http_.answers(), engine_.stats(), info_)};
  }
  check_key(request);
  if (path == "/v1/models") return json_answer({{"object", "list"}, {"data", Json::array({models()})}});
  const std::string model = "/v1/models/" + info_.model;  // clients encode the "/" in ORG/NAME, or don't
  if (path == model || percent_decoded(path) == model) return json_answer(models());
  if (path == "/tokenizer_info") return json_answer(tokenizer_info());
  if (is_work(path)) throw ApiError(405, "invalid_request_error", fmt::format("{} is asked with POST", path));
  throw not_found(path);
}

void Api::post(HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
  if (!is_work(request.path)) throw not_found(request.path);
  check_key(request);
  check_content_type(request);
  if (draining_) {
    HttpAnswer answer = ApiError(503, "server_error", "the server is stopping; try again in a moment").answer();
    answer.headers.emplace_back("Retry-After", "1");
    return reply->send(answer);
  }
  if (request.path == "/v1/completions") return generate(std::move(request.body), reply, &ApiReader::completion);
  if (request.path == "/v1/chat/completions")
    return generate(std::move(request.body), reply, &ApiReader::chat_completion);
  if (request.path == "/tokenize") {
    return convert(std::move(request.body), reply, [this](std::string_view body) -> Json {
      const std::vector<TokenId> tokens = reader_.tokenize(body);
      return {{"count", tokens.size()}, {"max_model_len", info_.positions}, {"tokens", tokens}};
    });
  }
  convert(std::move(request.body), reply, [this](std::string_view body) -> Json {
    return {{"prompt", reader_.detokenize(body)}};
  });
}

void Api::generate(std::string body, const std::shared_ptr<HttpReply>& reply, Read read) {
  in_worker(reply, [this, body = std::move(body), reply = std::weak_ptr(reply), read, since = Stopwatch()]() -> Later {
    const auto answer = std::make_shared<CompletionAnswer>(answers_, (reader_.*read)(body), reply, since);
    return [answer] { answer->start(); };
  });
}

void Api::convert(std::string body, const std::shared_ptr<HttpReply>& reply,
                  std::function<Json(std::string_view)> convert) {
  in_worker(reply, [body = std::move(body), reply = std::weak_ptr(reply), convert = std::move(convert)]() -> Later {
    return [reply, answer = json_answer(convert(body))] {
      if (const auto to = reply.lock()) to->send(answer);
    };
  });
}

void Api::in_worker(const std::shared_ptr<HttpReply>& reply, std::function<Later()> work) {
  worker_.post([this, reply = std::weak_ptr(reply), work = std::move(work)] {
    if (reply.expired()) return;  // the client has left
    const auto refuse_with = [&](const ApiError& error) {
      return [reply, answer = error.answer()] {
        if (const auto to = reply.lock()) to->send(answer);
      };
    };
    Later later;
    try {
      later = work();
    } catch (const ApiError& error) {
      later = refuse_with(error);
    } catch (const Error& error) {
      later = refuse_with(ApiError(400, "invalid_request_error", error.what()));
    } catch (const std::exception& error) {
      warn("unexpected error in a request: {}", error.what());
      later = refuse_with(ApiError(500, "server_error", "unexpected error"));
    }
    http_.post(std::move(later));
  });
}

void Api::check_key(const HttpRequest& request) const {
  if (api_key_.empty()) return;
  const std::string expected = "Bearer " + api_key_;
  // In constant time: how long a refusal takes says nothing of how much of a key was right.
  const bool right = request.authorization.size() == expected.size() &&
                     CRYPTO_memcmp(request.authorization.data(), expected.data(), expected.size()) == 0;
  if (!right)
    throw ApiError(401, "authentication_error", "wrong or missing API key; send it as Authorization: Bearer KEY", "",
                   "invalid_api_key");
}

Json Api::models() const {
  return {{"id", info_.model},
          {"object", "model"},
          {"created", info_.started},
          {"owned_by", "layerboost"},
          {"max_model_len", info_.positions},
          {"meta", {{"n_vocab", reader_.tokenizer.size()}}},
          {"plan", info_.plan.empty() ? Json() : Json(info_.plan)},
          {"mixers", info_.mixers},
          {"precision", info_.precision},
          {"kv", info_.kv}};
}

Json Api::tokenizer_info() const {
  const Tokenizer& tokenizer = reader_.tokenizer;
  const auto token = [&](TokenId id) { return id < 0 ? Json() : Json(std::string(tokenizer.bytes(id))); };
  return {{"bos_token", token(tokenizer.bos())},
          {"eos_token", token(tokenizer.eos())},
          {"chat_template", tokenizer.chat_template().empty() ? Json() : Json(tokenizer.chat_template())},
          {"vocab_size", tokenizer.size()}};
}

}  // namespace layerboost
