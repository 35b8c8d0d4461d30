#include "text/special_tokens.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

class SpecialTokens {
 public:
  SpecialTokens(TokenizerData& data, std::string_view where) : data_(data), where_(where) {
    for (std::size_t i = 0; i < data_.added.size(); ++i) places_.emplace(data_.added[i].content, i);
  }

  AddedToken* find(const std::string& content) {
    const auto place = places_.find(content);
    return place == places_.end() ? nullptr : &data_.added[place->second];
  }

  void add(AddedToken token) {
    if (token.content.empty()) return;
    if (AddedToken* const known = find(token.content)) {
      token.id = known->id;
      token.in_vocabulary = known->in_vocabulary;
      *known = std::move(token);
      return;
    }
    const std::size_t before = data_.tokens.size();
    token.id = id_of(token.content);
    token.in_vocabulary = data_.tokens.size() == before;
    places_.emplace(token.content, data_.added.size());
    data_.added.push_back(std::move(token));
  }

  /// A token of which only the text is told: it stays as it is where it is there.
  void add(const std::string& content) {
    if (AddedToken* const known = find(content))
      known->special = true;
    else
      add(AddedToken{.content = content, .special = true});
  }

  /// {"content": "<s>", "lstrip": false, ...}, or the text alone.
  void add(const Json& told) {
    if (told.is_string()) return add(told.get<std::string>());
    if (!told.is_object())
      fail("{}: a special token should be a string or an object, not {}", where_, told.type_name());
    add(added_token_of(told, true, where_));
  }

 private:
  TokenId id_of(const std::string& content) {
    if (ids_.empty())
      for (std::size_t i = 0; i < data_.tokens.size(); ++i) ids_.emplace(data_.tokens[i], static_cast<TokenId>(i));
    const auto [found, is_new] = ids_.try_emplace(content, static_cast<TokenId>(data_.tokens.size()));
    if (is_new) data_.tokens.push_back(content);
    return found->second;
  }

  TokenizerData& data_;
  std::string_view where_;
  std::unordered_map<std::string, std::size_t> places_;  // in data_.added
  std::unordered_map<std::string, TokenId> ids_;         // of data_.tokens, once one is asked for
};

/// The values of an object whose keys are numbers, by number.
std::map<int, Json> by_id(const Json& object, std::string_view where) {
  if (!object.is_object()) fail("{}: \"added_tokens_decoder\" should be an object of ids and tokens", where);
  std::map<int, Json> sorted;
  for (const auto& [key, value] : object.items()) {
    int id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      fail("{}: {} under \"added_tokens_decoder\" is not a token's id", where, in_quotes(key));
    sorted[id] = value;
  }
  return sorted;
}

/// The texts of an object {text: id}, by id.
std::vector<std::string> in_order(const Json& ids, std::string_view where) {
  if (!ids.is_object()) fail("{}: should be an object of tokens and ids", where);
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [text, id] : ids.items()) {
    if (!id.is_number_integer()) fail("{}: the id of token {} is not an integer", where, in_quotes(text));
    sorted.emplace_back(id.get<std::int64_t>(), text);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> texts;
  for (auto& [id, text] : sorted) texts.push_back(std::move(text));
  return texts;
}

std::optional<std::string> text_of_token(const Json& told, std::string_view where) {
  if (told.is_string()) return told.get<std::string>();
  if (told.is_object()) return get<std::string>(told, "content", where);
  return std::nullopt;
}

TokenId find_token(const Json& told, const TokenizerData& data, std::string_view where) {
  const auto text = text_of_token(told, where);
  if (!text) return -1;
  for (const AddedToken& token : data.added)
    if (token.content == *text) return token.id;
  const auto found = std::find(data.tokens.begin(), data.tokens.end(), *text);
  return found == data.tokens.end() ? -1 : static_cast<TokenId>(found - data.tokens.begin());
}

}  // namespace

AddedToken added_token_of(const Json& told, bool special, std::string_view where) {
  return {.content = get<std::string>(told, "content", where),
          .special = get_or(told, "special", special, where),
          .lstrip = get_or(told, "lstrip", false, where),
          .rstrip = get_or(told, "rstrip", false, where),
          .single_word = get_or(told, "single_word", false, where),
          .normalized = get_or(told, "normalized", false, where)};
}

void add_special_tokens(const TokenizerSettings& settings, TokenizerData& data, std::string_view where) {
  constexpr std::array names = {"bos_token", "eos_token", "unk_token", "sep_token",
                                "pad_token", "cls_token", "mask_token"};
  constexpr std::array lists = {"additional_special_tokens", "extra_special_tokens"};
  const std::string config_file = fmt::format("{}/tokenizer_config.json", where);
  const auto value_of = [&](const Json& object, const char* key) { return get_or(object, key, Json(), config_file); };
  SpecialTokens tokens(data, config_file);
  Json told = settings.config.is_object() ? settings.config : Json::object();
  if (const Json decoder = value_of(told, "added_tokens_decoder"); !decoder.is_null()) {
    for (const auto& [id, token] : by_id(decoder, config_file)) tokens.add(token);
  } else {
    const auto take = [&](const char* key) {
      if (Json value = value_of(settings.special_tokens, key); !value.is_null()) told[key] = std::move(value);
    };
    std::for_each(names.begin(), names.end(), take);
    std::for_each(lists.begin(), lists.end(), take);
    if (!settings.added_tokens.is_null())
      for (const std::string& text : in_order(settings.added_tokens, fmt::format("{}/added_tokens.json", where)))
        if (tokens.find(text) == nullptr) tokens.add(AddedToken{.content = text, .normalized = true});
  }
  for (const char* name : names)
    if (const Json token = value_of(told, name); !token.is_null()) tokens.add(token);
  for (const char* list : lists)
    for (const Json& token : value_of(told, list)) tokens.add(token);
  data.bos = find_token(value_of(told, "bos_token"), data, config_file);
  data.eos = find_token(value_of(told, "eos_token"), data, config_file);
  if (data.bos < 0) data.bos = find_token(value_of(settings.special_tokens, "bos_token"), data, config_file);
  if (data.eos < 0) data.eos = find_token(value_of(settings.special_tokens, "eos_token"), data, config_file);
}

}  // namespace layerboost
