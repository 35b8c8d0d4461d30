#include "server/completion_answer.h"

#include <algorithm>
#include <ctime>
#include <exception>

#include "base/random.h"
#include "server/api_error.h"
#include "server/json_answer.h"
#include "server/sse.h"

namespace layerboost {
namespace {

/// Log-probabilities that the loop's thread writes itself: a few milliseconds of work.
constexpr std::size_t most_in_loop = 10'000;
constexpr std::size_t bytes_of_logprob = 64;  // about, as JSON

Json to_json(const LevelSpan& levels) { return {{"first_level", levels.first}, {"level", levels.last}}; }

}  // namespace

CompletionAnswer::CompletionAnswer(AnswerContext& context, ApiRequest request, std::weak_ptr<HttpReply> reply,
                                   const std::string& request_id, Stopwatch since)
    : context_(context),
      request_(std::move(request)),
      reply_(std::move(reply)),
      since_(since),
      id_(fmt::format("{}-{}", request_.chat ? "chatcmpl" : "cmpl", request_id)),
      created_(std::time(nullptr)),
      sequences_(request_.prompts.size() * static_cast<std::size_t>(request_.choices)),
      running_(sequences_.size()),
      fingerprint_(context_.info.fingerprint()) {}

void CompletionAnswer::start() {
  guard([this] { submit_all(); });
}

/// What `work` throws ends the answer.
void CompletionAnswer::guard(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    if (const auto reply = reply_.lock()) reply->fail(error);
    cancel();
  }
}

void CompletionAnswer::submit_all() {
  const auto reply = reply_.lock();
  if (!reply) return;  // the client has left meanwhile
  RequestFigures& figures = reply->figures();
  figures.prompt_tokens = figures.generated_tokens = 0;
  for (const ApiPrompt& prompt : request_.prompts) *figures.prompt_tokens += prompt.tokens.size();
  try {
    for (std::size_t i = 0; i < sequences_.size(); ++i) submit(i);
  } catch (const QueueFull&) {
    cancel();
    HttpAnswer answer =
        ApiError(429, "rate_limit_error",
                 "too many requests are waiting; try again after the seconds that Retry-After says", "", "queue_full")
            .answer();
    answer.headers.emplace_back("Retry-After",
                                std::to_string(context_.metrics.seconds_to_wait(context_.engine.stats())));
    return reply->send(answer);
  } catch (const Error& error) {
    cancel();
    return reply->send(ApiError(400, "invalid_request_error", error.what()).answer());
  }
  reply->on_gone([self = shared_from_this()] { self->cancel(); });
  if (request_.stream) reply->begin_stream(std::string(sse_type), headers(), sse_comment);
}

void CompletionAnswer::submit(std::size_t index) {
  const std::size_t choices = static_cast<std::size_t>(request_.choices);
  const ApiPrompt& prompt = request_.prompts[index / choices];
  Sequence& sequence = sequences_[index];
  sequence.choice = make_choice(request_, prompt, context_.tokenizer, static_cast<int>(index));
  GenerationRequest asked = request_.settings;
  asked.prompt = prompt.tokens;
  asked.seed = request_.seed ? *request_.seed + index % choices : unrepeatable_bits();
  // On the compute thread: only posts.
  sequence.id = context_.engine.submit(
      std::move(asked),
      [self = shared_from_this(), index](Output&& output) {
        self->context_.post(
            [self, index, output = std::move(output)] { self->guard([&] { self->take(index, output); }); });
      },
      request_.constraint);
}

void CompletionAnswer::cancel() {
  for (const Sequence& sequence : sequences_) {
    if (sequence.id != 0 && !sequence.ended) context_.engine.cancel(sequence.id);
  }
  reply_.reset();  // what still comes is for nobody; the connection may be answering its next request
}

void CompletionAnswer::take(std::size_t index, const Output& output) {
  Sequence& sequence = sequences_[index];
  measure(sequence, output);
  measure_levels(output);
  sequence.choice->add(output);
  sequence.ended = output.finish != FinishReason::none;
  if (sequence.ended) {
    --running_;
    completion_tokens_ += static_cast<std::size_t>(output.generated_tokens);
    if (index % static_cast<std::size_t>(request_.choices) == 0) {
      prompt_tokens_ += static_cast<std::size_t>(output.prompt_tokens);
      cached_tokens_ += static_cast<std::size_t>(output.cached_tokens);
    }
  }
  if (output.finish == FinishReason::cancelled) return;  // nobody listens
  if (output.finish == FinishReason::failed) return fail_all(output.error);
  const auto reply = reply_.lock();
  if (!reply) return;
  if (request_.stream) {
    std::string json = begin_json();
    sequence.choice->take(true, json);
    const Json none;
    std::optional<LevelSpan> levels;
    if (sequence.ended && levels_) levels = LevelSpan{output.first_plan, output.plan};
    end_json(request_.include_usage ? &none : nullptr, json, levels);
    reply->write(sse_event(json));
  }
  if (running_ == 0) finish();
}

/// One sequence that can't be written on is the end of the whole answer.
void CompletionAnswer::fail_all(const std::string& error) {
  const auto reply = reply_.lock();
  cancel();
  if (!reply) return;
  const HttpAnswer answer = ApiError(500, "server_error", error).answer();
  if (!request_.stream) return reply->send(answer);
  reply->write(sse_event(std::string_view(answer.body).substr(0, answer.body.size() - 1)));  // without its line's end
  reply->write(std::string(sse_done));
  reply->end_stream();
}

void CompletionAnswer::measure(Sequence& sequence, const Output& output) {
  if (output.finish == FinishReason::cancelled || output.finish == FinishReason::failed) return;
  const double now = since_.seconds();
  const int fresh = output.generated_tokens - sequence.generated;
  if (fresh > 0 && !sequence.begun) {
    context_.metrics.first_token.observe(now);
  } else if (fresh > 0) {
    context_.metrics.between_tokens.observe((now - sequence.last) / fresh, static_cast<std::uint64_t>(fresh));
  }
  if (const auto reply = reply_.lock()) {
    RequestFigures& figures = reply->figures();
    if (!figures.queued) figures.queued = output.waited;
    if (fresh > 0 && !figures.first_token) figures.first_token = now;
    *figures.generated_tokens += static_cast<std::size_t>(fresh);
  }
  if (fresh > 0) {
    sequence.begun = true;
    sequence.last = now;
    sequence.generated = output.generated_tokens;
  }
  if (output.finish != FinishReason::none) context_.metrics.whole_request.observe(now);
}

void CompletionAnswer::measure_levels(const Output& output) {
  if (!context_.info.levels.is_ladder()) return;
  if (output.finish == FinishReason::cancelled || output.finish == FinishReason::failed) return;
  if (!levels_) {
    levels_ = LevelSpan{output.first_plan, output.plan};
    fingerprint_ = context_.info.fingerprint(output.first_plan);
  }
  levels_->first = std::min(levels_->first, output.first_plan);
  levels_->last = std::max(levels_->last, output.plan);
  if (const auto reply = reply_.lock()) reply->figures().levels = levels_;
}

void CompletionAnswer::finish() {
  if (request_.stream) {
    if (const auto reply = reply_.lock()) finish_stream(*reply);
    return;
  }
  if (logprobs() <= most_in_loop) return send(body());
  context_.aside([self = shared_from_this()] {
    std::string body;
    std::exception_ptr error;
    try {
      body = self->body();
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    self->context_.post([self, error, body = std::move(body)]() mutable {
      self->guard([&] {
        if (error) std::rethrow_exception(error);
        self->send(std::move(body));
      });
    });
  });
}

void CompletionAnswer::finish_stream(HttpReply& reply) const {
  if (request_.include_usage) {
    std::string json = begin_json();
    const Json used = usage();
    end_json(&used, json);
    reply.write(sse_event(json));
  }
  reply.write(std::string(sse_done));
  reply.end_stream();
}

/// Log-probabilities of all sequences that aren't sent yet.
std::size_t CompletionAnswer::logprobs() const {
  std::size_t count = 0;
  for (const Sequence& sequence : sequences_) count += sequence.choice->logprobs();
  return count;
}

std::string CompletionAnswer::body() const {
  std::string json = begin_json();
  json.reserve(json.size() + logprobs() * bytes_of_logprob);
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    if (i > 0) json += ',';
    sequences_[i].choice->take(false, json);
  }
  const Json used = usage();
  end_json(&used, json);
  json += '\n';
  return json;
}

void CompletionAnswer::send(std::string body) const {
  if (const auto reply = reply_.lock()) reply->send({.body = std::move(body), .headers = headers()});
}

/// The answer's object up to the entries of its "choices".
std::string CompletionAnswer::begin_json() const {
  const char* const chat = request_.stream ? "chat.completion.chunk" : "chat.completion";
  // All pieces of a stream say the same.
  const bool as_begun = request_.stream || !levels_;
  std::string json =
      json_line({{"id", id_},
                 {"object", request_.chat ? chat : "text_completion"},
                 {"created", created_},
                 {"model", context_.info.model},
                 {"system_fingerprint", as_begun ? fingerprint_ : context_.info.fingerprint(levels_->last)}});
  json.pop_back();
  return json += R"(,"choices":[)";
}

/// What follows them. `usage`: nullptr for none. `levels`: those of the sequence whose last piece this is.
void CompletionAnswer::end_json(const Json* usage, std::string& json, const std::optional<LevelSpan>& levels) {
  json += ']';
  if (levels) json += R"(,"layerboost":)" + json_line(to_json(*levels));
  if (usage != nullptr) json += R"(,"usage":)" + json_line(*usage);
  json += '}';
}

Json CompletionAnswer::usage() const {
  Json usage = {{"prompt_tokens", prompt_tokens_},
                {"completion_tokens", completion_tokens_},
                {"total_tokens", prompt_tokens_ + completion_tokens_},
                {"prompt_tokens_details", {{"cached_tokens", cached_tokens_}}}};
  if (levels_) usage["layerboost"] = to_json(*levels_);
  return usage;
}

/// The level that the head of the answer names: the last one; of a stream, whose head goes before its sequences, the
/// one that they are sure to have from beginning to end, if there is such a one.
std::optional<int> CompletionAnswer::level_to_name() const {
  const LevelTable& table = context_.info.levels;
  if (!table.is_ladder()) return std::nullopt;
  if (!request_.stream) return levels_.value_or(LevelSpan{}).last;
  if (request_.settings.plan) return request_.settings.plan;
  return table.constant() ? std::optional(table.cap()) : std::nullopt;
}

HttpHeaders CompletionAnswer::headers() const {
  HttpHeaders headers;
  if (request_.stream) headers.emplace_back("Cache-Control", "no-cache");
  if (request_.stream) headers.emplace_back("X-Accel-Buffering", "no");  // nginx passes pieces on as they come
  const std::optional<int> level = level_to_name();
  if (level) headers.emplace_back("X-Layerboost-Level", std::to_string(*level));
  if (level && !request_.stream)
    headers.emplace_back("X-Layerboost-First-Level", std::to_string(levels_.value_or(LevelSpan{}).first));
  const bool one_plan = !context_.info.levels.is_ladder();
  const std::string plan = level || one_plan ? context_.info.plan_of(level.value_or(0)) : "";
  if (!plan.empty()) headers.emplace_back("X-Layerboost-Plan", plan);
  return headers;
}

}  // namespace layerboost
