#include "net/load_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "layerboost/version.h"
#include "net/event_stream.h"

namespace layerboost {
namespace {

void init_curl() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  LB_CHECK(global == CURLE_OK);
}

std::string address_of(const LoadTarget& target, std::string_view path) {
  std::string url = target.url;
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    fail("`url` {}: must begin with http:// or https://", target.url);
  return url + std::string(path);
}

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
Headers headers_of(const LoadTarget& target) {
  curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
  list = curl_slist_append(list, "Expect:");  // no waiting for "100 Continue" before the body
  if (!target.api_key.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + target.api_key).c_str());
  return {list, curl_slist_free_all};
}

// One line of what a server says about a request that it refuses.
std::string explanation(long status, std::string_view body) {
  std::string message(body);
  if (const SortedJson json = json_or_null(body); json.is_object() && json.contains("error")) {
    const auto& error = json["error"];
    if (error.is_string()) message = error.get<std::string>();
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      message = error["message"].get<std::string>();
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return fmt::format("HTTP {}: {}", status, printable(message, 300));
}

/// A number of tokens that an int can hold.
bool is_count(const SortedJson& value) {
  return value.is_number_integer() && value >= 0 && value <= std::numeric_limits<int>::max();
}

constexpr std::size_t longest_page = std::size_t{4} << 20;  // bytes of an answer that isn't a stream

std::size_t append_to(char* data, std::size_t size, std::size_t count, void* user) {
  auto& text = *static_cast<std::string*>(user);
  text.append(data, size * count);
  return text.size() > longest_page ? 0 : size * count;
}

/// One request of a load.
class LoadRequest {
 public:
  LoadRequest(const Stopwatch& clock, int prompt_tokens) : clock_(clock) { outcome_.prompt_tokens = prompt_tokens; }

  void start(CURLM* multi, const std::string& url, const curl_slist* headers, const std::string& body) {
    curl_ = curl_easy_init();
    LB_CHECK(curl_ != nullptr);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl_, CURLOPT_USERAGENT, "layerboost/" LAYERBOOST_VERSION);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT, 60L);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, reason_);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl_, CURLOPT_PRIVATE, this);
    outcome_.start = clock_.seconds();
    LB_CHECK(curl_multi_add_handle(multi, curl_) == CURLM_OK);
  }

  /// After libcurl is done with it.
  LoadOutcome finish(CURLM* multi, CURLcode code) {
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    std::string& error = outcome_.error;
    if (error.empty() && status != 0 && status != 200)
      error = explanation(status, refusal_);
    else if (error.empty() && code != CURLE_OK)
      error = reason_[0] != '\0' ? reason_ : curl_easy_strerror(code);
    else if (error.empty() && !any_text_)
      error = "the stream held no text";
    if (outcome_.generated_tokens == 0 && any_text_)
      outcome_.generated_tokens = static_cast<int>(outcome_.intervals.size()) + 1;
    drop(multi);
    return std::move(outcome_);
  }

  void drop(CURLM* multi) {
    curl_multi_remove_handle(multi, curl_);
    curl_easy_cleanup(curl_);
  }

 private:
  static std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
    auto& request = *static_cast<LoadRequest*>(user);
    const std::string_view bytes(data, size * count);
    long status = 0;
    curl_easy_getinfo(request.curl_, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return append_to(data, size, count, &request.refusal_);
    if (!request.events_.push(bytes, [&](std::string_view event) { request.take(event); })) {
      request.outcome_.error = "the stream holds an event without an end";
      return 0;
    }
    return bytes.size();
  }

  // As vLLM's client has it: each chunk with choices counts, its text may be empty.
  void take(std::string_view event) {
    if (event == "[DONE]") return;
    const SortedJson json = json_or_null(event);
    if (!json.is_object()) {
      outcome_.error = "the stream holds what isn't JSON";
      return;
    }
    if (json.contains("error")) outcome_.error = explanation(200, event);
    if (const auto choices = json.find("choices"); choices != json.end() && choices->is_array() && !choices->empty()) {
      const double now = clock_.seconds() - outcome_.start;
      if (any_text_)
        outcome_.intervals.push_back(now - outcome_.latency);
      else
        outcome_.first = now;
      any_text_ = true;
      outcome_.latency = now;
    }
    if (const auto usage = json.find("usage"); usage != json.end() && usage->is_object())
      if (const auto tokens = usage->find("completion_tokens"); tokens != usage->end() && is_count(*tokens))
        outcome_.generated_tokens = *tokens;
  }

  const Stopwatch& clock_;
  CURL* curl_ = nullptr;
  char reason_[CURL_ERROR_SIZE] = "";
  EventStream events_;
  std::string refusal_;
  bool any_text_ = false;
  LoadOutcome outcome_;
};

/// The requests of one level, started when their time comes and there is room.
class Load {
 public:
  Load(const LoadTarget& target, const std::vector<std::string>& bodies, const std::vector<int>& prompt_tokens,
       const LoadLevel& level)
      : url_(address_of(target, "/v1/completions")), headers_(headers_of(target)), bodies_(bodies), level_(level) {
    multi_ = curl_multi_init();
    LB_CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(bodies.size()));  // kept for the next request
    for (std::size_t i = 0; i < bodies.size(); ++i)
      requests_.push_back(std::make_unique<LoadRequest>(clock_, prompt_tokens[i]));
    result_.outcomes.resize(bodies.size());
  }
  ~Load() {
    for (const auto& request : requests_)
      if (request && running_.contains(request.get())) request->drop(multi_);
    curl_multi_cleanup(multi_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadResult run(std::uint64_t seed, const std::function<void(const LoadOutcome&)>& on_done) {
    arrivals_ = arrivals(seed);
    std::size_t done = 0;
    while (done < bodies_.size()) {
      check_interrupt("stopped; nothing was written");
      start_what_is_due();
      int active = 0;
      LB_CHECK(curl_multi_perform(multi_, &active) == CURLM_OK);
      done += collect(on_done);
      if (done < bodies_.size()) wait();
    }
    result_.duration = clock_.seconds();
    return std::move(result_);
  }

 private:
  // Seconds at which the requests are to start.
  [[nodiscard]] std::vector<double> arrivals(std::uint64_t seed) const {
    std::vector<double> times(bodies_.size(), 0.0);
    if (std::isinf(level_.rate)) return times;
    Random random(seed);
    for (std::size_t i = 1; i < times.size(); ++i)
      times[i] = times[i - 1] - std::log(1 - random.uniform()) / level_.rate;
    return times;
  }

  [[nodiscard]] bool has_room() const {
    return level_.concurrency == 0 || running_.size() < static_cast<std::size_t>(level_.concurrency);
  }

  void start_what_is_due() {
    for (; next_ < bodies_.size() && has_room() && arrivals_[next_] <= clock_.seconds(); ++next_) {
      LoadRequest* const request = requests_[next_].get();
      running_[request] = next_;
      request->start(multi_, url_, headers_.get(), bodies_[next_]);
      result_.most_at_once = std::max(result_.most_at_once, static_cast<int>(running_.size()));
    }
  }

  std::size_t collect(const std::function<void(const LoadOutcome&)>& on_done) {
    std::size_t finished = 0;
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      char* owner = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
      auto* const request = reinterpret_cast<LoadRequest*>(owner);
      const std::size_t index = running_.at(request);
      running_.erase(request);
      result_.outcomes[index] = request->finish(multi_, code);
      on_done(result_.outcomes[index]);
      ++finished;
    }
    return finished;
  }

  // For something to read, the next arrival, or a tenth of a second.
  void wait() {
    double seconds = 0.1;
    if (next_ < bodies_.size() && has_room()) seconds = std::clamp(arrivals_[next_] - clock_.seconds(), 0.0, seconds);
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(std::ceil(seconds * 1000)), nullptr);
  }

  const std::string url_;
  const Headers headers_;
  const std::vector<std::string>& bodies_;
  const LoadLevel level_;
  CURLM* multi_ = nullptr;
  std::vector<std::unique_ptr<LoadRequest>> requests_;
  std::map<const LoadRequest*, std::size_t> running_;
  std::vector<double> arrivals_;
  std::size_t next_ = 0;
  LoadResult result_;
  Stopwatch clock_;
};

}  // namespace

ServedModels served_models(const LoadTarget& target) {
  init_curl();
  const std::string url = address_of(target, "/v1/models");
  const Headers headers = headers_of(target);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  LB_CHECK(curl != nullptr);
  std::string body;
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append_to);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (body.size() > longest_page) fail("{}: the answer goes on after {} MiB", url, longest_page >> 20);
  if (code != CURLE_OK)
    fail("{}: {}; is the server running?", url, reason[0] != '\0' ? reason : curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) fail("{}: {}", url, explanation(status, body));
  ServedModels models;
  const Json json = parse_json(body, url);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) fail("{}: no list of models", url);
  for (const Json& model : json["data"]) {
    models.names.push_back(get<std::string>(model, "id", url));
    if (models.names.size() > 1 || !model.contains("meta") || !model["meta"].is_object()) continue;
    models.vocabulary = get_or<int>(model["meta"], "n_vocab", 0, url);
  }
  return models;
}

Json completion_body(const LoadTarget& target, const Json& prompt, int tokens) {
  return {{"model", target.model},
          {"prompt", prompt},
          {"max_tokens", tokens},
          {"temperature", 0.0},
          {"ignore_eos", true},
          {"stream", true},
          {"stream_options", {{"include_usage", true}}}};
}

LoadResult run_load(const LoadTarget& target, const std::vector<std::string>& bodies,
                    const std::vector<int>& prompt_tokens, const LoadLevel& level, std::uint64_t seed,
                    const std::function<void(const LoadOutcome&)>& on_done) {
  LB_CHECK(bodies.size() == prompt_tokens.size() && level.rate > 0);
  init_curl();
  return Load(target, bodies, prompt_tokens, level).run(seed, on_done);
}

std::vector<std::vector<int>> random_prompts(int count, int length, int vocabulary, std::uint64_t seed) {
  std::vector<std::vector<int>> prompts;
  const Random all(seed);
  for (int i = 0; i < count; ++i) {
    Random random = all.fork(static_cast<std::uint64_t>(i));
    std::vector<int>& prompt = prompts.emplace_back();
    for (int k = 0; k < length; ++k)
      prompt.push_back(first_random_token +
                       static_cast<int>(random.below(static_cast<std::uint64_t>(vocabulary - first_random_token))));
  }
  return prompts;
}

}  // namespace layerboost
