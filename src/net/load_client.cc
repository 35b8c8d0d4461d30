#include "net/load_client.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "net/event_stream.h"
#include "net/http_client.h"

namespace layerboost {
namespace {

/// A server that is asked for much may be silent for long before it writes.
HttpClient::Server server_of(const LoadTarget& target) {
  HttpClient::Server server = {.base = target.url,
                               .base_name = "`url`",
                               .token = target.api_key,
                               .token_name = "`api-key`",
                               .connect_seconds = 60,
                               .longest_silence = 0};
  while (server.base.ends_with('/')) server.base.pop_back();
  if (server.base.ends_with("/v1")) server.base.resize(server.base.size() - 3);
  return server;
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
template <typename AnyJson>
bool is_count(const AnyJson& value) {
  return value.is_number_integer() && value >= 0 && value <= std::numeric_limits<int>::max();
}

constexpr std::size_t longest_page = std::size_t{4} << 20;  // bytes of an answer that isn't a stream

/// What one request of a load sees.
class LoadRequest {
 public:
  LoadRequest(const Stopwatch& clock, int prompt_tokens) : clock_(clock) { outcome_.prompt_tokens = prompt_tokens; }

  void start(HttpClient& http, std::size_t number, std::string_view body) {
    http.start(number, {.path = "/v1/completions", .json = body, .sink = [this](long, std::string_view bytes) {
                          if (events_.push(bytes, [this](std::string_view event) { take(event); })) return true;
                          outcome_.error = "the stream holds an event without an end";
                          return false;
                        }});
    outcome_.start = clock_.seconds();  // the request goes out with the next run()
  }

  LoadOutcome finish(const HttpOutcome& reply) {
    std::string& error = outcome_.error;
    if (error.empty() && reply.status != 0 && reply.status != 200)
      error = explanation(reply.status, reply.page);
    else if (error.empty() && !reply.failure.empty())
      error = reply.failure;
    else if (error.empty() && !any_text_)
      error = "the stream held no text";
    if (outcome_.generated_tokens == 0 && any_text_)
      outcome_.generated_tokens = static_cast<int>(outcome_.intervals.size()) + 1;
    return std::move(outcome_);
  }

 private:
  static constexpr int most_levels = 4096;  // more are no ladder's

  // Counts as vLLM's client does: each chunk with choices, even if its text is empty.
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
    if (const auto usage = json.find("usage"); usage != json.end() && usage->is_object()) {
      take_count(*usage, "completion_tokens", outcome_.generated_tokens);
      if (const auto ours = usage->find("layerboost"); ours != usage->end() && ours->is_object()) {
        take_count(*ours, "first_level", outcome_.first_level);
        take_count(*ours, "level", outcome_.level);
        if (std::max(outcome_.first_level, outcome_.level) > most_levels) outcome_.first_level = outcome_.level = -1;
      }
    }
  }

  static void take_count(const SortedJson& json, const char* name, int& value) {
    if (const auto count = json.find(name); count != json.end() && is_count(*count)) value = *count;
  }

  const Stopwatch& clock_;
  EventStream events_;
  bool any_text_ = false;
  LoadOutcome outcome_;
};

/// Seconds at which so many requests of a level are to start.
std::vector<double> random_arrivals(std::size_t count, double rate, std::uint64_t seed) {
  std::vector<double> times(count, 0.0);
  if (std::isinf(rate)) return times;
  Random random(seed);
  for (std::size_t i = 1; i < count; ++i) times[i] = times[i - 1] - std::log(1 - random.uniform()) / rate;
  return times;
}

/// The requests of one level, started when their time comes and there is room.
class Load {
 public:
  Load(const LoadTarget& target, const std::vector<std::string>& bodies, const std::vector<int>& prompt_tokens,
       int concurrency, std::vector<double> arrivals)
      : bodies_(bodies), concurrency_(concurrency), http_(server_of(target)), arrivals_(std::move(arrivals)) {
    LB_CHECK(bodies.size() == prompt_tokens.size() && bodies.size() == arrivals_.size());
    for (const int tokens : prompt_tokens) requests_.emplace_back(clock_, tokens);
    result_.outcomes.resize(bodies.size());
  }

  LoadResult run(const std::function<void(const LoadOutcome&)>& on_done) {
    std::size_t done = 0;
    while (done < bodies_.size()) {
      check_interrupt("stopped; nothing was written");
      start_what_is_due();
      http_.run(until_the_next(), [&](std::size_t number, const HttpOutcome& reply) {
        result_.outcomes[number] = requests_[number].finish(reply);
        on_done(result_.outcomes[number]);
        ++done;
      });
    }
    result_.duration = clock_.seconds();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool has_room() const {
    return concurrency_ == 0 || http_.under_way() < static_cast<std::size_t>(concurrency_);
  }

  void start_what_is_due() {
    for (; next_ < bodies_.size() && has_room() && arrivals_[next_] <= clock_.seconds(); ++next_) {
      requests_[next_].start(http_, next_, bodies_[next_]);
      result_.most_at_once = std::max(result_.most_at_once, static_cast<int>(http_.under_way()));
    }
  }

  // Seconds until the next arrival, at most a tenth.
  [[nodiscard]] double until_the_next() const {
    constexpr double most = 0.1;
    return next_ < bodies_.size() && has_room() ? std::clamp(arrivals_[next_] - clock_.seconds(), 0.0, most) : most;
  }

  const std::vector<std::string>& bodies_;
  const int concurrency_;
  Stopwatch clock_;
  std::deque<LoadRequest> requests_;  // whose addresses the client has
  HttpClient http_;
  const std::vector<double> arrivals_;  // seconds at which the requests are to start
  std::size_t next_ = 0;
  LoadResult result_;
};

}  // namespace

namespace {

/// Returns the perplexity ratio of each level; nothing unless the server tells all of them.
std::vector<double> perplexity_ratios(const Json& model) {
  std::vector<double> ratios;
  const auto levels = model.find("levels");
  if (levels == model.end() || !levels->is_array()) return {};
  for (const Json& level : *levels) {
    if (!level.is_object() || !level.contains("perplexity_ratio") || !level["perplexity_ratio"].is_number()) return {};
    ratios.push_back(level["perplexity_ratio"]);
  }
  return ratios;
}

}  // namespace

ServedModels served_models(const LoadTarget& target) {
  HttpClient::Server server = server_of(target);
  server.longest_silence = 60;
  HttpClient http(std::move(server));
  const std::string path = "/v1/models", url = http.base() + path;
  std::string body;
  const HttpOutcome reply = http.get(path, 0, [&](long, std::string_view bytes) {
    body += bytes;
    return body.size() <= longest_page;
  });
  check_interrupt("stopped; nothing was written");
  if (body.size() > longest_page) fail("{}: the answer goes on after {} MiB", url, longest_page >> 20);
  if (!reply.failure.empty()) fail("{}: {}; is the server running?", url, reply.failure);
  if (reply.status != 200) fail("{}: {}", url, explanation(reply.status, reply.page));
  ServedModels models;
  const Json json = parse_json(body, url);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) fail("{}: no list of models", url);
  for (const Json& model : json["data"]) {
    models.names.push_back(get<std::string>(model, "id", url));
    if (models.names.size() > 1) continue;
    if (const auto context = model.find("max_model_len"); context != model.end() && is_count(*context))
      models.context = *context;
    models.has_levels = model.contains("levels");
    models.perplexity_ratios = perplexity_ratios(model);
    if (!model.contains("meta") || !model["meta"].is_object()) continue;
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
  LB_CHECK(level.rate > 0);
  std::vector<double> times = random_arrivals(bodies.size(), level.rate, seed);
  return Load(target, bodies, prompt_tokens, level.concurrency, std::move(times)).run(on_done);
}

LoadResult run_load_at(const LoadTarget& target, const std::vector<std::string>& bodies,
                       const std::vector<int>& prompt_tokens, std::vector<double> times,
                       const std::function<void(const LoadOutcome&)>& on_done) {
  return Load(target, bodies, prompt_tokens, 0, std::move(times)).run(on_done);
}

void append_random_tokens(std::vector<int>& tokens, int count, int vocabulary, Random& random) {
  for (int i = 0; i < count; ++i)
    tokens.push_back(first_random_token +
                     static_cast<int>(random.below(static_cast<std::uint64_t>(vocabulary - first_random_token))));
}

std::vector<std::vector<int>> random_prompts(int count, int length, int vocabulary, std::uint64_t seed) {
  std::vector<std::vector<int>> prompts;
  const Random all(seed);
  for (int i = 0; i < count; ++i) {
    Random random = all.fork(static_cast<std::uint64_t>(i));
    append_random_tokens(prompts.emplace_back(), length, vocabulary, random);
  }
  return prompts;
}

}  // namespace layerboost
