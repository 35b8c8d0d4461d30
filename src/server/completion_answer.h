// An answer being made: the engine's outputs of all its choices, put together or streamed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "server/choice.h"
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
  struct Sequence {  // one of the answer's choices
    std::unique_ptr<Choice> choice;
    RequestId id = 0;
    int generated = 0;   // tokens
    double last = 0;     // when the latest token came, in seconds since the request
    bool begun = false;  // a token has come
    bool ended = false;
  };

  void submit_all();
  void submit(std::size_t index);
  void cancel();
  void take(std::size_t index, const Output& output);
  void guard(const std::function<void()>& work);
  void measure(Sequence& sequence, const Output& output);
  void measure_levels(const Output& output);
  void fail_all(const std::string& error);
  void finish();
  void finish_stream(HttpReply& reply) const;
  [[nodiscard]] std::size_t logprobs() const;
  [[nodiscard]] std::string body() const;
  void send(std::string body) const;
  [[nodiscard]] std::string begin_json() const;
  static void end_json(const Json* usage, std::string& json, const std::optional<LevelSpan>& levels = {});
  [[nodiscard]] Json usage() const;
  [[nodiscard]] std::optional<int> level_to_name() const;
  [[nodiscard]] HttpHeaders headers() const;

  AnswerContext& context_;
  ApiRequest request_;
  std::weak_ptr<HttpReply> reply_;
  Stopwatch since_;
  std::string id_;
  std::int64_t created_;
  std::vector<Sequence> sequences_;  // [prompts * choices]
  std::size_t running_ = 0;
  std::size_t prompt_tokens_ = 0, cached_tokens_ = 0, completion_tokens_ = 0;
  std::optional<LevelSpan> levels_;  // of all sequences so far: the lowest first and the highest last one
  std::string fingerprint_;          // of the level that the first of them began with
};

}  // namespace layerboost
