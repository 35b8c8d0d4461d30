#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "layerboost/version.h"

namespace layerboost {
namespace {

constexpr std::size_t most_unasked = std::size_t{1} << 20;  // bytes of an answer that isn't what was asked for

struct Free {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, Free>;
using Headers = std::unique_ptr<curl_slist, Free>;

bool asked_for(long status) { return status == 200 || status == 206; }

bool worth_repeating(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool worth_repeating(long status) {
  constexpr long transient[] = {408, 429, 500, 502, 503, 504};
  return std::find(std::begin(transient), std::end(transient), status) != std::end(transient);
}

void require_printable(const std::string& text, const std::string& what) {
  for (const char c : text) {
    if (c <= ' ' || c == '\x7f') fail("{} holds a blank, a line break or a byte beyond ASCII", what);
  }
}

void add(Headers& headers, const char* line) {
  curl_slist* const longer = curl_slist_append(headers.get(), line);
  LB_CHECK(longer != nullptr);
  (void)headers.release();
  headers.reset(longer);
}

}  // namespace

struct HttpClient::Handles {
  explicit Handles(const std::string& token) {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    LB_CHECK(global == CURLE_OK);
    multi = curl_multi_init();
    LB_CHECK(multi != nullptr);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 65536L);  // as many as there were requests at once
    add(post_headers, "Content-Type: application/json");
    add(post_headers, "Expect:");  // no waiting for "100 Continue" before the body
    if (token.empty()) return;
    for (Headers* const headers : {&get_headers, &post_headers})
      add(*headers, ("Authorization: Bearer " + token).c_str());
  }
  ~Handles() { curl_multi_cleanup(multi); }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  CURLM* multi = nullptr;
  Headers get_headers, post_headers;
};

/// One request while libcurl runs it.
class HttpClient::Transfer {
 public:
  Transfer(const Server& server, const Handles& handles, std::size_t number, Request request)
      : number_(number), request_(std::move(request)), multi_(handles.multi), easy_(curl_easy_init()) {
    LB_CHECK(easy_ != nullptr);
    const auto set = [this](CURLoption option, auto value) {
      LB_CHECK(curl_easy_setopt(easy_.get(), option, value) == CURLE_OK);
    };
    set(CURLOPT_URL, (server.base + request_.path).c_str());
    const bool post = !request_.json.empty();
    if (post) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.json.size()));
      set(CURLOPT_POSTFIELDS, request_.json.data());
    }
    if (request_.offset > 0) set(CURLOPT_RANGE, fmt::format("{}-", request_.offset).c_str());
    // libcurl drops the authorization on the way to another host.
    set(CURLOPT_HTTPHEADER, post ? handles.post_headers.get() : handles.get_headers.get());
    set(CURLOPT_USERAGENT, "layerboost/" LAYERBOOST_VERSION);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, server.base.starts_with("https://") ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, server.most_redirects > 0 ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, static_cast<long>(server.most_redirects));
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(server.connect_seconds));
    set(CURLOPT_LOW_SPEED_LIMIT, server.longest_silence > 0 ? 1L : 0L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(server.longest_silence));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_WRITEFUNCTION, on_data);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_ERRORBUFFER, reason_);
    set(CURLOPT_PRIVATE, this);
    LB_CHECK(curl_multi_add_handle(multi_, easy_.get()) == CURLM_OK);
  }
  ~Transfer() { curl_multi_remove_handle(multi_, easy_.get()); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  static Transfer& of(CURL* easy) {
    char* owner = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    return *reinterpret_cast<Transfer*>(owner);
  }

  [[nodiscard]] std::size_t number() const { return number_; }

  /// After libcurl is done with it. Throws what the sink threw.
  HttpOutcome finish(CURLcode code) {
    if (thrown_) std::rethrow_exception(thrown_);
    HttpOutcome outcome;
    outcome.status = status();
    outcome.page = std::move(page_);
    outcome.permanent = !worth_repeating(outcome.status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
    outcome.retry_after = std::max<curl_off_t>(seconds, 0);
    if (code != CURLE_OK && !cut_) {
      outcome.failure = printable(reason_[0] != '\0' ? reason_ : curl_easy_strerror(code), 200);
      outcome.permanent = !worth_repeating(code);
    }
    return outcome;
  }

 private:
  [[nodiscard]] long status() const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  /// Exceptions may not pass through C: they wait for finish().
  static std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    try {
      return transfer.take({data, size * count}) ? size * count : 0;
    } catch (...) {
      transfer.thrown_ = std::current_exception();
      return 0;
    }
  }

  bool take(std::string_view bytes) {
    const long answer = status();
    if (asked_for(answer)) return request_.sink(answer, bytes);
    page_ += bytes.substr(0, most_unasked - page_.size());
    return true;
  }

  static int on_progress(void* user, curl_off_t, curl_off_t arrived, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(user);
    transfer.cut_ |= arrived > static_cast<curl_off_t>(most_unasked) && !asked_for(transfer.status());
    return transfer.cut_ ? 1 : 0;
  }

  const std::size_t number_;
  const Request request_;
  CURLM* const multi_;
  const Easy easy_;
  char reason_[CURL_ERROR_SIZE] = "";
  std::string page_;
  std::exception_ptr thrown_;
  bool cut_ = false;  // what isn't asked for had no end
};

HttpClient::HttpClient(Server server) : server_(std::move(server)) {
  std::string& base = server_.base;
  if (!base.starts_with("http://") && !base.starts_with("https://"))
    fail("{} {}: must begin with http:// or https://", server_.base_name, in_quotes(base));
  require_printable(base, server_.base_name);
  require_printable(server_.token, server_.token_name);
  while (base.ends_with('/')) base.pop_back();
  handles_ = std::make_unique<Handles>(server_.token);
}

HttpClient::~HttpClient() = default;

HttpOutcome HttpClient::get(const std::string& path, std::int64_t offset, const Request::Sink& sink) {
  LB_CHECK(transfers_.empty());
  HttpOutcome outcome;
  outcome.failure = "stopped";
  start(0, {.path = path, .offset = offset, .json = {}, .sink = sink});
  while (!transfers_.empty() && !interrupted())
    run(0.1, [&](std::size_t, HttpOutcome ended) { outcome = std::move(ended); });
  transfers_.clear();
  return outcome;
}

void HttpClient::start(std::size_t number, Request request) {
  LB_CHECK(!transfers_.contains(number));
  transfers_.emplace(number, std::make_unique<Transfer>(server_, *handles_, number, std::move(request)));
}

void HttpClient::run(double seconds, const std::function<void(std::size_t, HttpOutcome)>& on_end) {
  int count = 0;
  LB_CHECK(curl_multi_perform(handles_->multi, &count) == CURLM_OK);
  bool any = false;
  while (const CURLMsg* const message = curl_multi_info_read(handles_->multi, &count)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // read before the transfer ends, which frees the message
    const auto ended = transfers_.extract(Transfer::of(message->easy_handle).number());
    on_end(ended.key(), ended.mapped()->finish(code));
    any = true;
  }
  if (!any) curl_multi_poll(handles_->multi, nullptr, 0, static_cast<int>(std::ceil(seconds * 1000)), nullptr);
}

std::string HttpClient::escaped(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  std::string result;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace layerboost
