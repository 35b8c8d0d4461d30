// Answers of /v1/completions and /v1/chat/completions: an object with a list of choices, and its chunks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/answer_writer.h"
#include "server/choice.h"
#include "server/prompt_facts.h"

namespace layerboost {

class CompletionWriter final : public AnswerWriter {
 public:
  /// Requires: `request` and `tokenizer` outlive this.
  CompletionWriter(const ApiRequest& request, const Tokenizer& tokenizer);

  void add(std::size_t sequence, Output&& output) override;
  [[nodiscard]] std::size_t numbers() const override;
  std::string body(const AnswerFacts& facts) override;
  void write_piece(std::size_t sequence, const AnswerFacts& facts, std::string& events) override;
  void end_stream(const AnswerFacts& facts, std::string& events) override;
  void fail_stream(const ApiError& error, const AnswerFacts& facts, std::string& events) override;

 private:
  [[nodiscard]] std::string begin_json(const AnswerFacts& facts) const;
  [[nodiscard]] Json usage_of_piece(std::size_t sequence) const;

  const ApiRequest& request_;
  std::vector<std::unique_ptr<Choice>> choices_;  // [prompts * choices]
  std::optional<PromptFacts> prompt_;             // of a chat, whose answer has one; else each choice has its own
  std::vector<std::optional<LevelSpan>> levels_;  // of each that has ended
  std::vector<int> generated_;                    // tokens of each so far
};

}  // namespace layerboost
