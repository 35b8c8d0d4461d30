#include "server/token_logprobs.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace layerboost {
namespace {

/// JSON has no infinity; vLLM writes this, too.
float finite(float logprob) { return std::max(logprob, -9999.0F); }

Json entry(const Tokenizer& tokenizer, TokenId token, float logprob) {
  Json bytes = Json::array();
  for (const char byte : tokenizer.bytes(token)) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", token_text(tokenizer, token)}, {"logprob", finite(logprob)}, {"bytes", std::move(bytes)}};
}

}  // namespace

std::string token_text(const Tokenizer& tokenizer, TokenId token) {
  const std::string_view bytes = tokenizer.bytes(token);
  if (valid_utf8_prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void LogprobColumns::add(const Tokenizer& tokenizer, TokenId token, const TokenLogprob* probability,
                         std::size_t text_offset) {
  tokens_.push_back(token_text(tokenizer, token));
  text_offsets_.push_back(text_offset);
  if (probability == nullptr) {
    token_logprobs_.push_back(nullptr);
    top_logprobs_.push_back(nullptr);
    return;
  }
  token_logprobs_.push_back(finite(probability->logprob));
  Json top = Json::object();
  for (const auto& [other, logprob] : probability->top) top.emplace(token_text(tokenizer, other), finite(logprob));
  top_logprobs_.push_back(std::move(top));
}

Json LogprobColumns::take() {
  return {{"tokens", std::exchange(tokens_, Json::array())},
          {"token_logprobs", std::exchange(token_logprobs_, Json::array())},
          {"top_logprobs", std::exchange(top_logprobs_, Json::array())},
          {"text_offset", std::exchange(text_offsets_, Json::array())}};
}

Json chat_logprob(const Tokenizer& tokenizer, const TokenLogprob& probability) {
  Json json = entry(tokenizer, probability.token, probability.logprob);
  json["top_logprobs"] = Json::array();
  for (const auto& [token, logprob] : probability.top) json["top_logprobs"].push_back(entry(tokenizer, token, logprob));
  return json;
}

}  // namespace layerboost
