#include "server/api.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <stdexcept>

#include "base/in_quotes.h"
#include "layerboost/version.h"
#include "server/api_error.h"
#include "server/ascii_case.h"
#include "server/json_answer.h"
#include "server/page.h"

namespace layerboost {
namespace {

constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view model_path = "/v1/models/";  // and a name

/// What is asked with POST, and what with GET.
constexpr std::string_view work_paths[] = {"/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/embeddings",
                                           "/tokenize",       "/detokenize"};
constexpr std::string_view read_paths[] = {"/v1/models", "/tokenizer_info", "/health", "/ready",
                                           "/version",   "/metrics",        "/"};

bool is_work(std::string_view path) { return std::ranges::find(work_paths, path) != std::end(work_paths); }

/// Whether something is at `path`: of models there, perhaps one of this name.
bool has_address(std::string_view path) {
  return is_work(path) || path.starts_with(model_path) || std::ranges::find(read_paths, path) != std::end(read_paths);
}

ApiError not_found(const std::string& path) {
  return {404, "invalid_request_error",
          fmt::format("nothing is at {}; there are {}, {}", path.substr(0, 100), fmt::join(work_paths, ", "),
                      fmt::join(read_paths, ", "))};
}

/// "Application/JSON; charset=utf-8" is "application/json".
std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  std::ranges::transform(type, type.begin(), ascii_lower);
  return type;
}

/// Pages of other sites may send texts and forms to any address, a server on this machine among them, but not JSON.
void check_content(const HttpRequest& request) {
  if (media_type(request.content_type) != "application/json")
    throw ApiError(415, "invalid_request_error", "the body must be JSON; send it with Content-Type: application/json")
        .with("Accept", "application/json");
  const std::string coding = media_type(request.content_encoding);
  if (!coding.empty() && coding != "identity")
    throw ApiError(415, "invalid_request_error", "the body must not be compressed; send it without Content-Encoding")
        .with("Accept-Encoding", "identity");
}

/// What `authorization` has after "Bearer", in whatever letters that is written; empty: it has another form.
std::string_view bearer_key(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (!equal_in_any_case(authorization.substr(0, scheme.size()), scheme)) return {};
  authorization.remove_prefix(scheme.size());
  return authorization.substr(std::min(authorization.find_first_not_of(' '), authorization.size()));
}

/// Does `work` with a reply whose client hasn't left; what that throws ends the answer.
template <typename Work>
void answer_with(const std::weak_ptr<HttpReply>& reply, const Work& work) {
  const auto to = reply.lock();
  if (!to) return;
  try {
    work(*to);
  } catch (const std::exception& error) {
    to->fail(error);
  }
}

HttpAnswer ready_answer(bool draining) {
  return json_answer({{"status", draining ? "stopping" : "ready"}}, draining ? 503 : 200);
}

}  // namespace

Api::Api(HttpServer& http, Engine& engine, const ApiReader& reader, ServerInfo info, ApiAccess access)
    : http_(http),
      engine_(engine),
      reader_(reader),
      info_(std::move(info)),
      access_(std::move(access)),
      answers_{engine,
               reader_.tokenizer,
               info_,
               metrics_,
               [&http](Later later) { http.post(std::move(later)); },
               [this](Later work) { writer_.post(std::move(work)); }} {}

std::optional<HttpAnswer> Api::answer_by_head(const HttpRequest& request) {
  try {
    check_host(request);
    if (request.method == "OPTIONS") {
      if (request.path == "*") return options_answer(request, "GET, HEAD, POST, OPTIONS");
      const bool here = has_address(request.path);
      // An allowed page gets as far as to read that nothing is there.
      if (allows_page(request) || (here && !access_.origins.empty()))
        return options_answer(request, here ? allowed_methods(request.path) : "");
    }
    if (is_work(request.path)) {
      check_work(request);
      return std::nullopt;
    }
    return get(request);
  } catch (const ApiError& error) {
    return error.answer();
  }
}

std::string Api::allowed_methods(const std::string& path) const {
  return fmt::format("{}{}", is_work(path) ? "POST" : "GET, HEAD", access_.origins.empty() ? "" : ", OPTIONS");
}

ApiError Api::wrong_method(const HttpRequest& request) const {
  const std::string right = allowed_methods(request.path);
  return ApiError(405, "invalid_request_error", fmt::format("{} is asked with {}", request.path.substr(0, 100), right))
      .with("Allow", right);
}

bool Api::allows_page(const HttpRequest& request) const {
  return std::ranges::any_of(access_.origins, [&](const std::string& origin) {
    return !request.origin.empty() && (origin == "*" || origin == request.origin);
  });
}

HttpHeaders Api::headers_for_page(const HttpRequest& request) const {
  if (!allows_page(request)) return {};
  const char* const levels =
      info_.levels.is_ladder() ? ", X-Layerboost-Level, X-Layerboost-First-Level, X-Layerboost-Plan" : "";
  return {{"Access-Control-Allow-Origin", request.origin},
          {"Access-Control-Expose-Headers", fmt::format("X-Request-Id, Retry-After{}", levels)},
          {"Vary", "Origin"}};
}

/// `allowed`: methods; empty: nothing is there.
HttpAnswer Api::options_answer(const HttpRequest& request, std::string allowed) const {
  HttpAnswer answer = json_answer(Json::object());
  if (!allowed.empty()) answer.headers.emplace_back("Allow", std::move(allowed));
  if (allows_page(request)) {  // whose browser asks before it sends its request
    answer.headers.insert(answer.headers.end(),
                          {{"Access-Control-Allow-Methods", "GET, POST"},
                           {"Access-Control-Allow-Headers", "Authorization, *"},  // "*" isn't Authorization
                           {"Access-Control-Max-Age", "600"}});
  }
  return answer;
}

void Api::check_work(const HttpRequest& request) const {
  if (request.method != "POST") throw wrong_method(request);
  check_key(request);
  check_content(request);
  if (draining_)
    throw ApiError(503, "server_error", "the server is stopping; try again in a moment").with("Retry-After", "1");
}

HttpAnswer Api::get(const HttpRequest& request) {
  const std::string& path = request.path;
  if (request.method != "GET" && request.method != "HEAD")
    throw has_address(path) ? wrong_method(request) : not_found(path);
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
  if (path == "/v1/models") return json_answer(models());
  if (path.starts_with(model_path)) {
    const std::string name = path.substr(model_path.size());
    if (std::ranges::find(info_.models, name) == info_.models.end()) throw model_not_found(name, info_.models);
    return json_answer(model(name));
  }
  if (path == "/tokenizer_info") return json_answer(tokenizer_info());
  throw not_found(path);
}

void Api::work(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  if (request.path == "/v1/completions") return generate(request, reply, &ApiReader::completion);
  if (request.path == "/v1/chat/completions") return generate(request, reply, &ApiReader::chat_completion);
  if (request.path == "/v1/responses") return generate(request, reply, &ApiReader::response);
  if (request.path == "/v1/embeddings") return generate(request, reply, &ApiReader::embedding);
  if (request.path == "/tokenize") {
    return convert(request, reply, [this](std::string_view body) -> Json {
      const TokenizedText text = reader_.tokenize(body);
      Json answer = {{"count", text.tokens.size()}, {"max_model_len", info_.positions}, {"tokens", text.tokens}};
      if (text.strings) answer["token_strs"] = *text.strings;
      return answer;
    });
  }
  convert(request, reply, [this](std::string_view body) -> Json { return {{"prompt", reader_.detokenize(body)}}; });
}

void Api::generate(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply, Read read) {
  in_worker(reply, [this, request, reply = std::weak_ptr(reply), read, since = Stopwatch()]() -> Later {
    ApiRequest asked = (reader_.*read)(request.body->text(), request.level);
    const auto answer = std::make_shared<CompletionAnswer>(answers_, std::move(asked), reply, request.id, since);
    return [answer] { answer->start(); };
  });
}

void Api::convert(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply,
                  std::function<Json(std::string_view)> convert) {
  in_worker(reply, [body = request.body, reply = std::weak_ptr(reply), convert = std::move(convert)]() -> Later {
    return [reply, answer = json_answer(convert(body->text()))] {
      answer_with(reply, [&](HttpReply& to) { to.send(answer); });
    };
  });
}

void Api::in_worker(const std::shared_ptr<HttpReply>& reply, std::function<Later()> work) {
  worker_.post([this, reply = std::weak_ptr(reply), work = std::move(work)] {
    if (reply.expired()) return;  // the client has left
    const auto refuse_with = [&](const ApiError& error) {
      return [reply, answer = error.answer()] { answer_with(reply, [&](HttpReply& to) { to.send(answer); }); };
    };
    const auto fail_with = [&](const auto& error) {
      return [reply, error] { answer_with(reply, [&](HttpReply& to) { to.fail(error); }); };
    };
    Later later;
    try {
      later = work();
    } catch (const ApiError& error) {
      later = refuse_with(error);
    } catch (const Error& error) {
      later = refuse_with(ApiError(400, "invalid_request_error", error.what()));
    } catch (const std::bad_alloc& error) {
      later = fail_with(error);
    } catch (const std::exception& error) {
      later = fail_with(std::runtime_error(error.what()));
    }
    http_.post(std::move(later));
  });
}

/// Whoever looks after the server may ask how it is by any name.
void Api::check_host(const HttpRequest& request) const {
  if (request.path == "/health" || request.path == "/ready") return;
  const bool by_own_page = request.origin.ends_with("//" + request.host);
  if (access_.hosts.allow(request.host, by_own_page)) return;
  throw ApiError(
      403, "invalid_request_error",
      fmt::format("the server isn't known by the name {}; if that is its name, start it with `allow-host` NAME",
                  in_quotes(request.host)),
      "", "host_not_allowed");
}

void Api::check_key(const HttpRequest& request) const {
  if (access_.key.empty()) return;
  const std::string_view key = bearer_key(request.authorization);
  // In constant time: how long a refusal takes says nothing of how much of a key was right.
  if (key.size() == access_.key.size() && CRYPTO_memcmp(key.data(), access_.key.data(), key.size()) == 0) return;
  throw ApiError(401, "authentication_error", "wrong or missing API key; send it as Authorization: Bearer KEY", "",
                 "invalid_api_key")
      .with("WWW-Authenticate", "Bearer");
}

Json Api::models() const {
  Json list = Json::array();
  for (const std::string& name : info_.models) list.push_back(model(name));
  return {{"object", "list"}, {"data", std::move(list)}};
}

Json Api::model(const std::string& name) const {
  const Sampling& sampling = reader_.sampling;
  Json model = {{"id", name},
                {"object", "model"},
                {"created", info_.started},
                {"owned_by", "layerboost"},
                {"max_model_len", info_.positions},
                {"meta", {{"n_vocab", std::min(reader_.tokenizer.size(), reader_.embeddings)}}},
                {"plan", info_.plan.empty() ? Json() : Json(info_.plan)},
                {"mixers", info_.mixers},
                {"precision", info_.precision},
                {"kv", info_.kv},
                {"sampling",
                 {{"temperature", sampling.temperature},
                  {"top_p", sampling.top_p},
                  {"top_k", sampling.top_k},
                  {"min_p", sampling.min_p},
                  {"repetition_penalty", sampling.repetition_penalty},
                  {"from", info_.own_sampling ? "model" : "server"}}}};
  if (!info_.levels.is_ladder()) return model;
  model["levels"] = info_.levels.json();
  model["level_mode"] = info_.levels.mode();
  model["level_cap"] = info_.levels.cap();
  return model;
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
