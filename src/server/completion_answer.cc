#include "server/completion_answer.h"

#include <algorithm>
#include <ctime>
#include <exception>

#include "base/random.h"
#include "server/api_error.h"
#include "server/sse.h"

namespace layerboost {
namespace {

/// Numbers that the loop's thread writes itself: a few milliseconds of work.
constexpr std::size_t most_in_loop = 10'000;

/// Sequences of one answer that are with the engine at the same time: more than it is likely to run.
constexpr std::size_t most_at_once = 128;

/// Texts to be embedded are only read, and whoever comes next waits for all that are with the engine by then: no more
/// than what it reads next, and what is ready when it has done that.
constexpr std::size_t steps_at_once = 2;

}  // namespace

CompletionAnswer::CompletionAnswer(AnswerContext& context, ApiRequest request, std::weak_ptr<HttpReply> reply,
                                   const std::string& request_id, Stopwatch since)
    : context_(context),
      request_(std::move(request)),
      reply_(std::move(reply)),
      since_(since),
      sequences_(request_.prompts.size() * static_cast<std::size_t>(request_.choices)),
      left_(sequences_.size()),
      facts_{request_id, std::time(nullptr), request_.model, context_.info.fingerprint()},
      writer_(make_writer(request_, context_.tokenizer)) {}

void CompletionAnswer::start() {
  guard([this] { begin(); });
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

void CompletionAnswer::begin() {
  const auto reply = reply_.lock();
  if (!reply) return;  // the client has left meanwhile
  RequestFigures& figures = reply->figures();
  figures.prompt_tokens = figures.generated_tokens = 0;
  for (const ApiPrompt& prompt : request_.prompts) *figures.prompt_tokens += prompt.tokens.size();
  submit(Place::of_its_own);
  if (reply_.expired()) return;  // it has been refused
  reply->on_gone([self = shared_from_this()] { self->cancel(); });
  if (!request_.stream) return;
  reply->begin_stream(std::string(sse_type), headers(), sse_comment);
  streams_ = true;
  std::string events;
  writer_->begin_stream(facts_, events);
  if (!events.empty()) reply->write(std::move(events));
}

/// Hands those to the engine that may be there now. The first takes `place`; each of the others needs a place of its
/// own, and where there is none it comes when one that is there has ended. Where none is there the request is refused.
void CompletionAnswer::submit(Place place) {
  try {
    for (; may_submit(); place = Place::of_its_own) submit(submitted_, place);
  } catch (const QueueFull& full) {
    if (under_way() > 0) return;
    const int seconds = context_.metrics.seconds_to_wait(context_.engine.stats());
    end_with(ApiError(429, "rate_limit_error",
                      fmt::format("{}; try again after the seconds that Retry-After says", full.what()), "",
                      "queue_full")
                 .with("Retry-After", std::to_string(seconds)));
  } catch (const Error& error) {
    end_with(ApiError(400, "invalid_request_error", error.what()));
  }
}

bool CompletionAnswer::may_submit() const {
  if (submitted_ == sequences_.size()) return false;
  // What has ended, and isn't known of here yet, leaves its place to another of these: without a bound there would be
  // more of them with each such moment.
  if (under_way() >= std::min(most_at_once, static_cast<std::size_t>(context_.engine.places()))) return false;
  const auto step = static_cast<std::size_t>(context_.engine.step_tokens());
  return !request_.settings.embedding || reading_ < steps_at_once * step;
}

void CompletionAnswer::submit(std::size_t index, Place place) {
  Sequence& sequence = sequences_[index];
  GenerationRequest asked = request_.settings;
  asked.prompt = request_.prompt_of(index).tokens;
  if (request_.endpoint == Endpoint::chat && index > 0) asked.prompt_logprobs = -1;  // they are told once
  asked.seed =
      request_.seed ? *request_.seed + index % static_cast<std::size_t>(request_.choices) : unrepeatable_bits();
  // On the compute thread: only posts.
  sequence.id = context_.engine.submit(
      std::move(asked),
      [self = shared_from_this(), index](Output&& output) {
        self->context_.post([self, index, output = std::move(output)]() mutable {
          self->guard([&] { self->take(index, std::move(output)); });
        });
      },
      request_.constraint, place);
  if (left_ < sequences_.size()) sequence.since = since_.seconds();
  reading_ += request_.prompt_of(index).tokens.size();
  ++submitted_;
}

void CompletionAnswer::cancel() {
  for (const Sequence& sequence : sequences_) {
    if (sequence.id != 0 && !sequence.ended) context_.engine.cancel(sequence.id);
  }
  reply_.reset();  // what still comes is for nobody; the connection may be answering its next request
}

void CompletionAnswer::take(std::size_t index, Output&& output) {
  Sequence& sequence = sequences_[index];
  measure(sequence, output);
  measure_levels(output);
  sequence.ended = output.finish != FinishReason::none;
  if (sequence.ended) {
    --left_;
    reading_ -= request_.prompt_of(index).tokens.size();
    facts_.completion_tokens += static_cast<std::size_t>(output.generated_tokens);
    if (index % static_cast<std::size_t>(request_.choices) == 0) {
      facts_.prompt_tokens += static_cast<std::size_t>(output.prompt_tokens);
      facts_.cached_tokens += static_cast<std::size_t>(output.cached_tokens);
    }
  }
  if (output.finish == FinishReason::cancelled) return;  // nobody listens
  // One sequence that can't be written on is the end of the whole answer.
  if (output.finish == FinishReason::failed)
    return end_with(output.by_request ? ApiError(400, "invalid_request_error", output.error, request_.form_field)
                                      : ApiError(500, "server_error", output.error));
  const auto reply = reply_.lock();
  if (!reply) return;
  writer_->add(index, std::move(output));
  if (request_.stream) {
    std::string events;
    writer_->write_piece(index, facts_, events);
    if (!events.empty()) reply->write(std::move(events));
  }
  if (left_ == 0)
    finish();
  else if (sequence.ended)
    submit(Place::inherited);
}

/// In place of what was still to come.
void CompletionAnswer::end_with(const ApiError& error) {
  const auto reply = reply_.lock();
  cancel();
  if (!reply) return;
  if (!streams_) return reply->send(error.answer());
  std::string events;
  writer_->fail_stream(error, facts_, events);
  reply->write(std::move(events));
  reply->end_stream();
}

void CompletionAnswer::measure(Sequence& sequence, const Output& output) {
  if (output.finish == FinishReason::cancelled || output.finish == FinishReason::failed) return;
  const double now = since_.seconds(), waited = now - sequence.since;
  const int fresh = output.generated_tokens - sequence.generated;
  if (fresh > 0 && !sequence.begun) {
    context_.metrics.first_token.observe(waited);
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
  if (output.finish != FinishReason::none) context_.metrics.whole_request.observe(waited);
}

void CompletionAnswer::measure_levels(const Output& output) {
  if (!context_.info.levels.is_ladder()) return;
  if (output.finish == FinishReason::cancelled || output.finish == FinishReason::failed) return;
  if (!facts_.levels) {
    facts_.levels = LevelSpan{output.first_plan, output.plan};
    facts_.fingerprint = context_.info.fingerprint(output.first_plan);
  }
  facts_.levels->first = std::min(facts_.levels->first, output.first_plan);
  facts_.levels->last = std::max(facts_.levels->last, output.plan);
  // All pieces of a stream say the same.
  if (!request_.stream) facts_.fingerprint = context_.info.fingerprint(facts_.levels->last);
  if (const auto reply = reply_.lock()) reply->figures().levels = facts_.levels;
}

void CompletionAnswer::finish() {
  if (request_.stream) {
    if (const auto reply = reply_.lock()) finish_stream(*reply);
    return;
  }
  if (writer_->numbers() <= most_in_loop) return send(writer_->body(facts_));
  context_.aside([self = shared_from_this()] {
    std::string body;
    std::exception_ptr error;
    try {
      body = self->writer_->body(self->facts_);
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

void CompletionAnswer::finish_stream(HttpReply& reply) {
  std::string events;
  writer_->end_stream(facts_, events);
  reply.write(std::move(events));
  reply.end_stream();
}

void CompletionAnswer::send(std::string body) const {
  if (const auto reply = reply_.lock()) reply->send({.body = std::move(body), .headers = headers()});
}

/// The level that the head of the answer names: the last one; of a stream, whose head goes before its sequences, the
/// one that they are sure to have from beginning to end, if there is such a one.
std::optional<int> CompletionAnswer::level_to_name() const {
  const LevelTable& table = context_.info.levels;
  if (!table.is_ladder()) return std::nullopt;
  if (!request_.stream) return facts_.levels.value_or(LevelSpan{}).last;
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
    headers.emplace_back("X-Layerboost-First-Level", std::to_string(facts_.levels.value_or(LevelSpan{}).first));
  const bool one_plan = !context_.info.levels.is_ladder();
  const std::string plan = level || one_plan ? context_.info.plan_of(level.value_or(0)) : "";
  if (!plan.empty()) headers.emplace_back("X-Layerboost-Plan", plan);
  return headers;
}

}  // namespace layerboost
