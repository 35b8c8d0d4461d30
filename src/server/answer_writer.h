// What answers look like, whole or in the events of a stream: one kind of writer for each endpoint. Where the engine's
// outputs come from, and where what is written goes, is the business of CompletionAnswer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/api_error.h"
#include "server/api_request.h"
#include "server/level_table.h"

namespace layerboost {

/// What is known of an answer beside its sequences.
struct AnswerFacts {
  std::string id;                                                           // the request's, as its client knows it
  std::int64_t created = 0;                                                 // seconds since 1970
  std::string model, fingerprint;                                           // of the level that the answer has
  std::size_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;  // of the sequences that have ended
  std::optional<LevelSpan> levels = {};  // of all sequences so far, on a server that has several
};

/// Takes what comes of a request's sequences and writes the answer, either by body() or by the three that append events
/// to a stream. Not thread-safe.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  /// What is new of a sequence. Requires: it hasn't failed.
  virtual void add(std::size_t sequence, Output&& output) = 0;

  /// Numbers that are to be written next: what the work is.
  [[nodiscard]] virtual std::size_t numbers() const = 0;

  /// The whole answer, once all sequences have ended: a line of JSON.
  virtual std::string body(const AnswerFacts& facts) = 0;

  /// What a stream begins with.
  virtual void begin_stream(const AnswerFacts& /*facts*/, std::string& /*events*/) {}
  /// What was added to a sequence since the last call.
  virtual void write_piece(std::size_t /*sequence*/, const AnswerFacts& /*facts*/, std::string& /*events*/) {}
  /// What a stream ends with: once all sequences have ended, or with an error in place of what was still to come.
  virtual void end_stream(const AnswerFacts& /*facts*/, std::string& /*events*/) {}
  virtual void fail_stream(const ApiError& /*error*/, const AnswerFacts& /*facts*/, std::string& /*events*/) {}
};

/// The writer for a request's endpoint. Requires: `request` and `tokenizer` outlive it.
std::unique_ptr<AnswerWriter> make_writer(const ApiRequest& request, const Tokenizer& tokenizer);

/// {"first_level": 0, "level": 2}
Json to_json(const LevelSpan& levels);

}  // namespace layerboost
