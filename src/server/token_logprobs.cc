#include "server/token_logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "server/json_answer.h"

namespace layerboost {
namespace {

/// Appends the fewest digits that mean this number. JSON has no infinity; vLLM writes -9999 for it, too.
void write_number(float logprob, std::string& json) {
  const std::size_t begin = json.size();
  fmt::format_to(std::back_inserter(json), "{}", std::max(logprob, -9999.0F));
  if (json.find_first_of(".e", begin) == std::string::npos) json += ".0";
}

void write_text(const std::string& text, std::string& json) { json += json_line(Json(text)); }

/// Appends [item(0), item(1), ...].
template <typename Item>
void write_list(std::size_t count, std::string& json, const Item& item) {
  json += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) json += ',';
    item(i);
  }
  json += ']';
}

}  // namespace

std::string token_text(const Tokenizer& tokenizer, TokenId token) {
  const std::string_view bytes = tokenizer.bytes(token);
  if (valid_utf8_prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void LogprobList::add(const TokenLogprob& token, std::size_t offset, std::size_t most) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, token.top.size()));
  likeliest_.insert(likeliest_.end(), token.top.begin(), token.top.begin() + count);
  tokens_.push_back({token.token, token.logprob, true, token.rank, static_cast<std::uint32_t>(offset),
                     static_cast<std::uint32_t>(likeliest_.size())});
}

void LogprobList::add_first(TokenId token) {
  tokens_.push_back({token, 0, false, 0, 0, static_cast<std::uint32_t>(likeliest_.size())});
}

void LogprobList::clear() {
  tokens_.clear();
  likeliest_.clear();
}

std::pair<const LogprobList::Alternative*, const LogprobList::Alternative*> LogprobList::alternatives(
    std::size_t entry) const {
  const std::size_t begin = entry == 0 ? 0 : tokens_[entry - 1].top_end;
  return {likeliest_.data() + begin, likeliest_.data() + tokens_[entry].top_end};
}

std::string LogprobList::name_of(const Tokenizer& tokenizer, TokenId token) const {
  return as_ids_ ? fmt::format("token_id:{}", token) : token_text(tokenizer, token);
}

void LogprobList::write_columns(const Tokenizer& tokenizer, std::string& json) const {
  json += R"({"tokens":)";
  write_list(tokens_.size(), json, [&](std::size_t i) { write_text(name_of(tokenizer, tokens_[i].token), json); });
  json += R"(,"token_logprobs":)";
  write_list(tokens_.size(), json, [&](std::size_t i) {
    if (tokens_[i].predicted)
      write_number(tokens_[i].logprob, json);
    else
      json += "null";
  });
  json += R"(,"top_logprobs":)";
  write_list(tokens_.size(), json, [&](std::size_t i) {
    if (!tokens_[i].predicted) {
      json += "null";
      return;
    }
    const auto [begin, end] = alternatives(i);
    std::vector<std::string> names;  // different tokens may have the same text: the likeliest has the name
    json += '{';
    for (const auto* other = begin; other != end; ++other) {
      std::string name = name_of(tokenizer, other->first);
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      if (!names.empty()) json += ',';
      write_text(name, json);
      json += ':';
      write_number(other->second, json);
      names.push_back(std::move(name));
    }
    json += '}';
  });
  json += R"(,"text_offset":)";
  write_list(tokens_.size(), json,
             [&](std::size_t i) { fmt::format_to(std::back_inserter(json), "{}", tokens_[i].offset); });
  json += '}';
}

/// Appends {"token", "logprob", "bytes"}, left open.
void LogprobList::write_entry(const Tokenizer& tokenizer, TokenId token, float logprob, std::string& json) const {
  const std::string_view bytes = tokenizer.bytes(token);
  json += R"({"token":)";
  write_text(name_of(tokenizer, token), json);
  json += R"(,"logprob":)";
  write_number(logprob, json);
  json += R"(,"bytes":)";
  write_list(bytes.size(), json, [&](std::size_t i) {
    fmt::format_to(std::back_inserter(json), "{}", static_cast<unsigned char>(bytes[i]));
  });
}

void LogprobList::write_entries(const Tokenizer& tokenizer, std::string& json) const {
  write_list(tokens_.size(), json, [&](std::size_t i) {
    write_entry(tokenizer, tokens_[i].token, tokens_[i].logprob, json);
    const auto [begin, end] = alternatives(i);
    json += R"(,"top_logprobs":)";
    write_list(static_cast<std::size_t>(end - begin), json, [&, first = begin](std::size_t k) {
      write_entry(tokenizer, first[k].first, first[k].second, json);
      json += '}';
    });
    json += '}';
  });
}

void LogprobList::write_ranked(const Tokenizer& tokenizer, std::string& json) const {
  const auto write = [&](TokenId token, float logprob, std::ptrdiff_t rank) {
    fmt::format_to(std::back_inserter(json), R"("{}":{{"logprob":)", token);
    write_number(logprob, json);
    fmt::format_to(std::back_inserter(json), R"(,"rank":{},"decoded_token":)", rank);
    write_text(token_text(tokenizer, token), json);
    json += '}';
  };
  write_list(tokens_.size(), json, [&](std::size_t i) {
    const Entry& entry = tokens_[i];
    if (!entry.predicted) {
      json += "null";
      return;
    }
    const auto [begin, end] = alternatives(i);
    const auto* const itself = std::find_if(begin, end, [&](const auto& other) { return other.first == entry.token; });
    json += '{';
    write(entry.token, entry.logprob, itself == end ? entry.rank : itself - begin + 1);
    for (const auto* other = begin; other != end; ++other) {
      if (other == itself) continue;
      json += ',';
      write(other->first, other->second, other - begin + 1);
    }
    json += '}';
  });
}

}  // namespace layerboost
