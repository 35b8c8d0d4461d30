#include "server/sampling_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "server/api_error.h"

namespace layerboost {
namespace {

constexpr double least_above_zero = 1e-6;

/// {"50256": -100, ...}
std::vector<std::pair<TokenId, float>> read_logit_bias(const Fields& fields, TokenId vocab) {
  const Json* const bias = fields.find("logit_bias");
  if (bias == nullptr) return {};
  if (!bias->is_object()) refuse("logit_bias", R"("logit_bias" must be an object such as {{"50256": -100}})");
  std::vector<std::pair<TokenId, float>> biases;
  for (const auto& [key, value] : bias->items()) {
    TokenId token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0 || token >= vocab)
      refuse("logit_bias", "\"logit_bias\" must have token ids from 0 to {} as keys", vocab - 1);
    const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(number >= -100 && number <= 100)) refuse("logit_bias", "\"logit_bias\" must have values from -100 to 100");
    biases.emplace_back(token, static_cast<float>(number));
  }
  return biases;
}

/// vLLM's "repetition_penalty", or llama.cpp's "repeat_penalty".
double read_repetition_penalty(const Fields& fields, double otherwise) {
  constexpr double least = 0.01, most = 100;
  const double given = fields.number("repeat_penalty", otherwise, least, most);
  const double penalty = fields.number("repetition_penalty", given, least, most);
  if (fields.find("repeat_penalty") != nullptr && penalty != given)
    refuse("repeat_penalty", R"("repeat_penalty" and "repetition_penalty" are one thing and differ; send one of them)");
  return penalty;
}

/// In tokens: each word as `tokenizer` writes it by itself and with a space in front.
std::vector<std::vector<TokenId>> read_bad_words(const Fields& fields, const Tokenizer& tokenizer, TokenId vocab,
                                                 const Limits& limits) {
  std::vector<std::vector<TokenId>> words;
  std::size_t count = 0;
  for (const std::string& word : fields.texts("bad_words", limits.bad_words)) {
    if (word.empty()) refuse("bad_words", "\"bad_words\" must not contain an empty string");
    // Spaces in front are put there, but where there is nothing else.
    const std::size_t begin = word.find_first_not_of(" \t\n\v\f\r");
    const std::string bare = begin == std::string::npos ? word : word.substr(begin);
    for (const std::string& text : {bare, " " + bare}) {
      std::vector<TokenId> tokens = tokenizer.encode(text);
      const bool can_be_written = !tokens.empty() && std::ranges::max(tokens) < vocab;
      if (!can_be_written || (!words.empty() && tokens == words.back())) continue;
      count += tokens.size();
      if (count > limits.bad_word_tokens)
        refuse("bad_words", "\"bad_words\" are more than {} tokens together, with and without a space in front",
               limits.bad_word_tokens);
      words.push_back(std::move(tokens));
    }
  }
  return words;
}

}  // namespace

Sampling read_sampling(const Fields& fields, TokenId vocab, const Sampling& otherwise) {
  Sampling sampling = otherwise;
  sampling.temperature = fields.number("temperature", otherwise.temperature, 0, 100);
  sampling.top_p = fields.number("top_p", otherwise.top_p, least_above_zero, 1);
  if (const auto top_k = fields.integer("top_k", -1, vocab))
    sampling.top_k = static_cast<int>(std::max<std::int64_t>(0, *top_k));
  sampling.min_p = fields.number("min_p", otherwise.min_p, 0, 1);
  sampling.repetition_penalty = read_repetition_penalty(fields, otherwise.repetition_penalty);
  sampling.presence_penalty = fields.number("presence_penalty", 0, -2, 2);
  sampling.frequency_penalty = fields.number("frequency_penalty", 0, -2, 2);
  sampling.logit_bias = read_logit_bias(fields, vocab);
  return sampling;
}

std::shared_ptr<const TokenFilter> read_token_filter(const Fields& fields, const Tokenizer& tokenizer, TokenId vocab,
                                                     const Limits& limits) {
  std::optional<std::vector<TokenId>> allowed;
  if (const Json* const given = fields.find("allowed_token_ids")) {
    if (!given->is_array() || given->empty())
      refuse("allowed_token_ids",
             "\"allowed_token_ids\" must be a list of token ids, at least one; leave it out where all are allowed");
    allowed = token_list(*given, vocab, "allowed_token_ids");
  }
  std::vector<std::vector<TokenId>> bad_words = read_bad_words(fields, tokenizer, vocab, limits);
  if (!allowed && bad_words.empty()) return nullptr;
  try {
    return std::make_shared<const TokenFilter>(std::move(allowed), std::move(bad_words));
  } catch (const Error&) {
    refuse("allowed_token_ids", R"("allowed_token_ids" has only tokens that are "bad_words": none is left)");
  }
}

void read_stops(const Fields& fields, TokenId vocab, const Limits& limits, GenerationRequest& request) {
  request.stop = fields.texts("stop", limits.stop_strings);
  for (const std::string& text : request.stop) {
    if (text.empty()) refuse("stop", "\"stop\" must not contain an empty string");
    if (text.size() > limits.stop_length)
      refuse("stop", "\"stop\" has a string of {} bytes; send at most {} in each", text.size(), limits.stop_length);
  }
  if (const Json* const tokens = fields.find("stop_token_ids")) {
    if (!tokens->is_array() || tokens->size() > static_cast<std::size_t>(limits.stop_strings))
      refuse("stop_token_ids", "\"stop_token_ids\" must be a list of at most {} token ids", limits.stop_strings);
    request.stop_tokens = token_list(*tokens, vocab, "stop_token_ids");
  }
  request.ignore_eos = fields.flag("ignore_eos", false);
  request.include_stop = request.include_end = fields.flag("include_stop_str_in_output", false);
  request.skip_special = fields.flag("skip_special_tokens", true);
  request.min_tokens = static_cast<int>(fields.integer("min_tokens", 0, std::numeric_limits<int>::max()).value_or(0));
}

}  // namespace layerboost
