#include "text/tokenizer_json.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/in_quotes.h"
#include "base/json.h"
#include "text/pre_tokenizer.h"

namespace layerboost {
namespace {

Json member(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() ? Json() : *it;
}

// Puts `content` at `id`; ids may have gaps (tokens of a model's padding), but not so large that the file can't mean
// them.
void place(std::vector<std::string>& tokens, TokenId id, const std::string& content, std::string_view where) {
  constexpr TokenId most_tokens = 1 << 22;
  if (id < 0 || id >= most_tokens)
    fail("{}: token {} has id {}; ids go from 0 to {}", where, in_quotes(content), id, most_tokens - 1);
  const auto index = static_cast<std::size_t>(id);
  if (index >= tokens.size()) tokens.resize(index + 1);
  if (!tokens[index].empty() && tokens[index] != content)
    fail("{}: id {} is both {} and {}", where, id, in_quotes(tokens[index]), in_quotes(content));
  tokens[index] = content;
}

void read_vocabulary(const SortedJson& vocab, TokenizerData& data, std::string_view where) {
  if (!vocab.is_object()) fail("{}: \"model.vocab\" must be an object of tokens and ids", where);
  for (const auto& [content, id] : vocab.items()) {
    if (!id.is_number_integer()) fail("{}: the id of token {} is not an integer", where, in_quotes(content));
    place(data.tokens, static_cast<TokenId>(std::clamp<std::int64_t>(id.get<std::int64_t>(), -1, 1 << 30)), content,
          where);
  }
}

void read_merges(const SortedJson& merges, TokenizerData& data, std::string_view where) {
  if (!merges.is_array()) fail("{}: \"model.merges\" must be a list", where);
  data.merges.reserve(merges.size());
  for (const SortedJson& merge : merges) {
    if (merge.is_string())
      data.merges.push_back(merge.get<std::string>());
    else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
      data.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    else
      fail("{}: merge {} must be \"left right\" or [\"left\", \"right\"]", where, data.merges.size());
  }
}

void check_model(const Json& model, std::string_view where) {
  const auto type = get_or<std::string>(model, "type", "BPE", where);
  if (type != "BPE") fail("{}: the model is of type {}; only byte-level \"BPE\" is supported", where, in_quotes(type));
  if (get_or(model, "byte_fallback", false, where))
    fail("{}: a BPE model with byte fallback (SentencePiece); only byte-level BPE is supported", where);
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!get_or<std::string>(model, key, "", where).empty()) fail("{}: \"model.{}\" is not supported", where, key);
}

void read_added_tokens(const Json& list, TokenizerData& data, std::string_view where) {
  if (list.is_null()) return;
  if (!list.is_array()) fail("{}: \"added_tokens\" must be a list", where);
  for (const Json& entry : list) {
    AddedToken token;
    token.id = get<TokenId>(entry, "id", where);
    token.content = get<std::string>(entry, "content", where);
    token.special = get_or(entry, "special", false, where);
    token.lstrip = get_or(entry, "lstrip", false, where);
    token.rstrip = get_or(entry, "rstrip", false, where);
    if (get_or(entry, "single_word", false, where))
      fail("{}: added token {} is \"single_word\", which is not supported", where, in_quotes(token.content));
    place(data.tokens, token.id, token.content, where);
    data.added.push_back(std::move(token));
  }
}

// A component, or those of a "Sequence"; none for null.
std::vector<Json> components(const Json& component, const char* list_key) {
  if (component.is_null()) return {};
  if (member(component, "type") != "Sequence") return {component};
  const Json list = member(component, list_key);
  return list.is_array() ? std::vector<Json>(list.begin(), list.end()) : std::vector<Json>{};
}

bool reads_nfc(const Json& normalizer, std::string_view where) {
  bool nfc = false;
  for (const Json& part : components(normalizer, "normalizers")) {
    const auto type = get<std::string>(part, "type", where);
    if (type != "NFC") fail("{}: normalizer {} is not supported; known: NFC", where, in_quotes(type));
    nfc = true;
  }
  return nfc;
}

std::string recognise_pre_tokenizer(const Json& pre_tokenizer, std::string_view where) {
  std::vector<Json> parts = components(pre_tokenizer, "pretokenizers");
  const auto unknown = [&]() -> std::string {
    fail("{}: unknown pre-tokenizer {}; known: those of GPT-2, SmolLM, Llama 3 and Qwen 2", where,
         printable(pre_tokenizer.dump(-1, ' ', true), 300));
  };
  if (parts.empty() || parts.size() > 2 || member(parts.back(), "type") != "ByteLevel") return unknown();
  if (get_or(parts.back(), "add_prefix_space", true, where))
    fail("{}: \"add_prefix_space\" of the pre-tokenizer is not supported", where);
  const bool gpt2_follows = get_or(parts.back(), "use_regex", true, where);
  if (parts.size() == 1) return gpt2_follows ? "gpt2" : unknown();

  const Json& first = parts.front();
  if (member(first, "type") == "Digits")
    return gpt2_follows && get_or(first, "individual_digits", false, where) ? "smollm" : unknown();
  if (member(first, "type") != "Split" || gpt2_follows || member(first, "behavior") != "Isolated" ||
      get_or(first, "invert", false, where))
    return unknown();
  const auto pattern = get_or<std::string>(member(first, "pattern"), "Regex", "", where);
  if (pattern == gpt2_pattern) return "gpt2";
  if (pattern == llama3_pattern) return "llama3";
  if (pattern == qwen2_pattern) return "qwen2";
  return unknown();
}

// The text of "bos_token": a string, or an object with its "content".
std::optional<std::string> token_named(const Json& config, const char* key, std::string_view where) {
  const Json value = member(config, key);
  if (value.is_null()) return std::nullopt;
  return value.is_object() ? get<std::string>(value, "content", where) : get<std::string>(config, key, where);
}

TokenId find_token(const Json& config, const Json& special_tokens, const char* key, const TokenizerData& data,
                   std::string_view where) {
  std::optional<std::string> name = token_named(config, key, where);
  if (!name) name = token_named(special_tokens, key, where);
  if (!name) return -1;
  for (const AddedToken& token : data.added)
    if (token.content == *name) return token.id;
  const auto found = std::find(data.tokens.begin(), data.tokens.end(), *name);
  if (found == data.tokens.end())
    fail("{}: \"{}\" is {}, which is not in the vocabulary", where, key, in_quotes(*name));
  return static_cast<TokenId>(found - data.tokens.begin());
}

// Whether a "TemplateProcessing" puts BOS before a single text.
bool template_adds(TokenId bos, const Json& post_processor, const TokenizerData& data) {
  if (bos < 0) return false;
  for (const Json& part : components(post_processor, "processors")) {
    const Json single = member(part, "single");
    if (!single.is_array() || single.empty()) continue;
    if (member(member(single.front(), "SpecialToken"), "id") == data.tokens[static_cast<std::size_t>(bos)]) return true;
  }
  return false;
}

// The template of this name in a list of them, or the only one where it is "default".
std::string chat_template(const Json& config, std::string_view name, std::string_view where) {
  const Json value = member(config, "chat_template");
  if (!value.is_array()) return name == "default" ? get_or<std::string>(config, "chat_template", "", where) : "";
  for (const Json& entry : value)
    if (member(entry, "name") == name) return get<std::string>(entry, "template", where);
  return "";
}

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view tokenizer_json, std::string_view config_json,
                                   std::string_view special_tokens_json, std::string_view where) {
  const std::string file = fmt::format("{}/tokenizer.json", where);
  TokenizerData data;
  SortedJson parsed = parse_sorted_json(tokenizer_json, file);
  if (!parsed.is_object() || !parsed.contains("model") || !parsed["model"].is_object())
    fail("{}: missing \"model\"", file);
  read_vocabulary(std::exchange(parsed["model"]["vocab"], {}), data, file);
  read_merges(std::exchange(parsed["model"]["merges"], {}), data, file);

  const Json rest(parsed);
  const Json model = member(rest, "model");
  check_model(model, file);
  data.ignore_merges = get_or(model, "ignore_merges", false, file);
  read_added_tokens(member(rest, "added_tokens"), data, file);
  data.nfc = reads_nfc(member(rest, "normalizer"), file);
  data.pre_tokenizer = recognise_pre_tokenizer(member(rest, "pre_tokenizer"), file);

  const std::string config_file = fmt::format("{}/tokenizer_config.json", where);
  const std::string special_file = fmt::format("{}/special_tokens_map.json", where);
  const Json config = config_json.empty() ? Json() : parse_json(config_json, config_file);
  const Json special = special_tokens_json.empty() ? Json() : parse_json(special_tokens_json, special_file);
  data.bos = find_token(config, special, "bos_token", data, config_file);
  data.eos = find_token(config, special, "eos_token", data, config_file);
  data.add_bos =
      get_or(config, "add_bos_token", template_adds(data.bos, member(rest, "post_processor"), data), config_file);
  data.chat_template = chat_template(config, "default", config_file);
  data.tool_template = chat_template(config, "tool_use", config_file);
  return data;
}

TokenizerData read_tokenizer_json(const std::string& directory) {
  const fs::path folder(directory);
  const auto read_if_there = [&](const char* name) {
    return is_there(folder / name) ? read_file(folder / name) : std::string();
  };
  TokenizerData data =
      parse_tokenizer_json(read_file(folder / "tokenizer.json"), read_if_there("tokenizer_config.json"),
                           read_if_there("special_tokens_map.json"), directory);
  if (is_there(folder / "chat_template.jinja")) data.chat_template = read_file(folder / "chat_template.jinja");
  const fs::path for_tools = folder / "additional_chat_templates" / "tool_use.jinja";
  if (is_there(for_tools)) data.tool_template = read_file(for_tools);
  return data;
}

}  // namespace layerboost
