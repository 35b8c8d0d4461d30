// Answers of /v1/responses: an object with a list of items, messages and calls of functions, and the events of a stream
// that such an object grows by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/answer_writer.h"
#include "text/tool_calls.h"

namespace layerboost {

/// A stream ends with one of response.completed, response.incomplete and response.failed, and with no [DONE].
class ResponseWriter final : public AnswerWriter {
 public:
  /// Requires: `request` and `tokenizer` outlive this; the request has one sequence.
  ResponseWriter(const ApiRequest& request, const Tokenizer& tokenizer);

  void add(std::size_t sequence, Output&& output) override;
  [[nodiscard]] std::size_t numbers() const override;
  std::string body(const AnswerFacts& facts) override;
  void begin_stream(const AnswerFacts& facts, std::string& events) override;
  void write_piece(std::size_t sequence, const AnswerFacts& facts, std::string& events) override;
  void end_stream(const AnswerFacts& facts, std::string& events) override;
  void fail_stream(const ApiError& error, const AnswerFacts& facts, std::string& events) override;

 private:
  struct Item {
    bool is_call = false;  // of a function; else it is a message
    std::string id;
    std::string call_id = {}, name = {};  // of a call
    std::string text = {};                // or the call's arguments
    bool begun = false;                   // its first event has been written
    std::size_t written = 0;              // bytes of its text that are in events
    bool ended = false;                   // its last event has been written
  };

  void add_logprobs(const Output& output);
  void add_text(const std::string& text);
  void add_calls(ToolText&& text);
  void begin_item(Item& item, int index, std::string& events);
  void write_delta(Item& item, int index, std::string& events);
  void end_item(Item& item, int index, std::string& events);
  void write_event(const char* type, std::string_view members, std::string& events);

  /// "completed", "incomplete", "in_progress": of the answer; of an item, the last of which may be cut short.
  [[nodiscard]] const char* status_so_far() const;
  [[nodiscard]] const char* status_of(const Item& item) const;
  /// JSON. `error`: why it has failed.
  [[nodiscard]] std::string response_json(const AnswerFacts& facts, const char* status, const Json& error = {}) const;
  [[nodiscard]] std::string item_json(const Item& item, const char* status, bool with_text) const;
  [[nodiscard]] std::string part_json(const Item& item, bool with_text) const;
  /// Where a message's text is, as an event's members.
  static std::string place_of_text(const Item& item, int index);

  const ApiRequest& request_;
  const Tokenizer& tokenizer_;
  std::optional<ToolCallReader> calls_;  // where the text may have calls of tools
  std::vector<Item> items_;
  std::string logprobs_;               // of the message, as JSON without the list's brackets
  std::size_t streamed_logprobs_ = 0;  // bytes of these that events have had
  FinishReason finish_ = FinishReason::none;
  int events_ = 0;  // so far
};

}  // namespace layerboost
