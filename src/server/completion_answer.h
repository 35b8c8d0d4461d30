// An answer being made: a request's sequences go to the engine, and what comes of them is put together or streamed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "server/answer_writer.h"
#include "server/http.h"
#include "server/metrics.h"
#include "server/server_info.h"

namespace layerboost {

/// What answers are made with. `post` and `aside` are thread-safe, the rest is for the loop's thread. Requires: it
/// outlives the answers.
struct AnswerContext {
  Engine& engine;
  const Tokenizer& tokenizer;
  const ServerInfo& info;
  Metrics& metrics;
  std::function<void(std::function<void()>)> post;   // to the loop's thread
  std::function<void(std::function<void()>)> aside;  // to a thread for what takes longer than the loop may wait
};

/// Lives on the loop's thread: the engine's sinks post to it. Only a large answer's body is made aside, when nothing
/// else happens to it any more.
class CompletionAnswer : public std::enable_shared_from_this<CompletionAnswer> {
 public:
  /// `request_id`: as the client knows it. `since`: when the request came.
  CompletionAnswer(AnswerContext& context, ApiRequest request, std::weak_ptr<HttpReply> reply,
                   const std::string& request_id, Stopwatch since);

  /// Hands the request to the engine, and in time the answer, or what is wrong with the request, to the reply. If the
  /// client leaves, the work is cancelled.
  void start();

 private:
  struct Sequence {  // one of the answer's choices, or of its embeddings
    RequestId id = 0;
    double since = 0;    // when it was handed to the engine, where that waited for others of the answer
    int generated = 0;   // tokens
    double last = 0;     // when the latest token came, in seconds since the request
    bool begun = false;  // a token has come
    bool ended = false;
  };

  void begin();
  void submit(Place place);
  void submit(std::size_t index, Place place);
  void cancel();
  void take(std::size_t index, Output&& output);
  void guard(const std::function<void()>& work);
  void measure(Sequence& sequence, const Output& output);
  void measure_levels(const Output& output);
  void end_with(const ApiError& error);
  void finish();
  void finish_stream(HttpReply& reply);
  void send(std::string body) const;
  [[nodiscard]] bool may_submit() const;
  /// Sequences that are with the engine.
  [[nodiscard]] std::size_t under_way() const { return submitted_ + left_ - sequences_.size(); }
  [[nodiscard]] std::optional<int> level_to_name() const;
  [[nodiscard]] HttpHeaders headers() const;

  AnswerContext& context_;
  ApiRequest request_;
  std::weak_ptr<HttpReply> reply_;
  Stopwatch since_;
  std::vector<Sequence> sequences_;  // [prompts * choices]
  std::size_t submitted_ = 0;        // so many of these have been handed to the engine, the first ones
  std::size_t left_;                 // that haven't ended
  std::size_t reading_ = 0;          // tokens of the prompts of those that are with the engine
  bool streams_ = false;             // the stream has begun
  AnswerFacts facts_;
  std::unique_ptr<AnswerWriter> writer_;
};

}  // namespace layerboost
