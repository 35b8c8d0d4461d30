#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "layerboost/version.h"

namespace layerboost {

struct HttpClient::Handles {
  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
};

namespace {

/// One request while libcurl runs it. Exceptions may not pass through C: they wait here.
struct Transfer {
  CURL* curl;
  const HttpClient::Sink& sink;
  std::exception_ptr thrown = {};
  bool cut = false;  // what isn't asked for had no end
};

constexpr curl_off_t most_unasked = curl_off_t{1} << 20;  // bytes of a body that isn't asked for

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool asked_for(long status) { return status == 200 || status == 206; }

std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  const long status = status_of(transfer.curl);
  if (!asked_for(status)) return bytes;  // the page that explains an error
  try {
    transfer.sink(status, std::string_view(data, bytes));
    return bytes;
  } catch (...) {
    transfer.thrown = std::current_exception();
    return 0;
  }
}

int on_progress(void* user, curl_off_t, curl_off_t arrived, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.cut |= arrived > most_unasked && !asked_for(status_of(transfer.curl));
  return transfer.cut || interrupted() ? 1 : 0;
}

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

void require_printable(const std::string& text, const char* what) {
  for (const char c : text) {
    if (c <= ' ' || c == '\x7f') fail("{} holds a blank, a line break or a byte beyond ASCII", what);
  }
}

}  // namespace

HttpClient::HttpClient(std::string base, const std::string& token)
    : base_(std::move(base)), handles_(std::make_unique<Handles>()) {
  const bool secure = base_.starts_with("https://");
  if (!secure && !base_.starts_with("http://")) fail("HF_ENDPOINT=\"{}\": must begin with https:// or http://", base_);
  require_printable(base_, "HF_ENDPOINT");
  require_printable(token, "the token for the hub (HF_TOKEN, or its file)");
  while (base_.ends_with("/")) base_.pop_back();

  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  handles_->curl = curl_easy_init();
  LB_CHECK(global == CURLE_OK && handles_->curl != nullptr);
  CURL* const curl = handles_->curl;
  if (!token.empty()) handles_->headers = curl_slist_append(nullptr, ("Authorization: Bearer " + token).c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, handles_->headers);  // libcurl drops it on the way to another host
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "layerboost/" LAYERBOOST_VERSION);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
}

HttpClient::~HttpClient() {
  curl_slist_free_all(handles_->headers);
  curl_easy_cleanup(handles_->curl);
}

HttpOutcome HttpClient::get(const std::string& path, std::int64_t offset, const Sink& sink) {
  CURL* const curl = handles_->curl;
  Transfer transfer{.curl = curl, .sink = sink};
  const std::string url = base_ + path;
  const std::string range = fmt::format("{}-", offset);
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_RANGE, offset > 0 ? range.c_str() : nullptr);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  const CURLcode code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  check_interrupt("stopped; the same command goes on where this one ended");

  HttpOutcome reply;
  reply.status = status_of(curl);
  reply.permanent = !worth_repeating(reply.status);
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
  reply.retry_after = std::max<curl_off_t>(seconds, 0);
  if (code != CURLE_OK && !transfer.cut) {
    reply.failure = printable(reason[0] != '\0' ? reason : curl_easy_strerror(code), 200);
    reply.permanent = !worth_repeating(code);
  }
  return reply;
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
