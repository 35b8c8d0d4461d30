// Log-probabilities in the words of OpenAI's two APIs: kept in a few bytes each, written as JSON when they are sent.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.h"
#include "text/tokenizer.h"

namespace layerboost {

/// A token as text. One that isn't whole UTF-8 characters is written "bytes:\xe2\x82", as OpenAI does, so that
/// different tokens have different texts.
std::string token_text(const Tokenizer& tokenizer, TokenId token);

/// The log-probabilities of a sequence's tokens, with the likeliest alternatives of each.
class LogprobList {
 public:
  /// `as_ids`: tokens are written "token_id:123" in place of their text.
  explicit LogprobList(bool as_ids = false) : as_ids_(as_ids) {}

  /// A token that something predicts, with at most `most` alternatives. `offset`: characters of the text before it.
  void add(const TokenLogprob& token, std::size_t offset = 0, std::size_t most = std::string::npos);
  /// The first token of a text, which nothing predicts.
  void add_first(TokenId token);
  void clear();
  /// Numbers that are kept.
  [[nodiscard]] std::size_t size() const { return tokens_.size() + likeliest_.size(); }

  /// Appends the `logprobs` of /v1/completions: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}, four lists
  /// with an entry for each token.
  void write_columns(const Tokenizer& tokenizer, std::string& json) const;
  /// Appends /v1/chat/completions' `logprobs.content`: a list of {"token", "logprob", "bytes", "top_logprobs"}.
  void write_entries(const Tokenizer& tokenizer, std::string& json) const;
  /// Appends vLLM's `prompt_logprobs`: a list of {"123": {"logprob", "rank", "decoded_token"}, ...}, with null for a
  /// first token.
  void write_ranked(const Tokenizer& tokenizer, std::string& json) const;

 private:
  struct Entry {
    TokenId token;
    float logprob;
    bool predicted;
    int rank;
    std::uint32_t offset;
    std::uint32_t top_end;  // its alternatives end here in likeliest_ and begin where those of the entry before end
  };
  using Alternative = std::pair<TokenId, float>;

  [[nodiscard]] std::pair<const Alternative*, const Alternative*> alternatives(std::size_t entry) const;
  [[nodiscard]] std::string name_of(const Tokenizer& tokenizer, TokenId token) const;
  void write_entry(const Tokenizer& tokenizer, TokenId token, float logprob, std::string& json) const;

  bool as_ids_;
  std::vector<Entry> tokens_;
  std::vector<Alternative> likeliest_;
};

}  // namespace layerboost
