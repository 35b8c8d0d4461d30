#include "text/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/in_quotes.h"
#include "base/json.h"
#include "text/byte_alphabet.h"
#include "text/decoder_json.h"
#include "text/merge_table.h"
#include "text/normalizer_json.h"
#include "text/post_processor_json.h"
#include "text/pre_tokenizer_json.h"
#include "text/special_tokens.h"
#include "text/vocab_and_merges.h"

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
  if (type != "BPE") fail("{}: the model is of type {}; only \"BPE\" is supported", where, in_quotes(type));
  if (get_or(model, "dropout", 0.0, where) > 0)
    fail("{}: \"model.dropout\", which makes a text's tokens a matter of chance, is not supported", where);
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!get_or<std::string>(model, key, "", where).empty()) fail("{}: \"model.{}\" is not supported", where, key);
}

// As in tokenizers, a text that the vocabulary has keeps its id, and others follow the vocabulary in the order in which
// they are told, whatever id they are told with. Of a text that is told twice the later entry counts.
void read_added_tokens(const Json& list, std::size_t vocabulary_size, TokenizerData& data, std::string_view where) {
  if (list.is_null()) return;
  if (!list.is_array()) fail("{}: \"added_tokens\" must be a list", where);
  const IdsByText vocabulary = ids_by_text(data.tokens);
  auto next = static_cast<TokenId>(vocabulary_size);
  std::unordered_map<std::string, std::size_t> places;  // in data.added
  for (const Json& entry : list) {
    AddedToken token = added_token_of(entry, false, where);
    get<TokenId>(entry, "id", where);
    if (token.content.empty()) continue;
    const auto [place_of, is_new] = places.emplace(token.content, data.added.size());
    if (!is_new) {
      AddedToken& known = data.added[place_of->second];
      token.id = known.id;
      token.special = token.special || known.special;
      token.in_vocabulary = known.in_vocabulary;
      known = std::move(token);
      continue;
    }
    const auto found = vocabulary.find(token.content);
    token.in_vocabulary = found != vocabulary.end();
    token.id = token.in_vocabulary ? found->second : next++;
    data.added.push_back(std::move(token));
  }
  for (const AddedToken& token : data.added) place(data.tokens, token.id, token.content, where);
}

// Byte fallback is what tells BPE of characters, as SentencePiece has it, from byte-level BPE.
void read_characters(const Json& json, TokenizerData& data, std::string_view where) {
  const Json model = member(json, "model");
  if (!get_or(model, "byte_fallback", false, where)) return;
  if (has_byte_level(member(json, "pre_tokenizer")))
    fail("{}: byte fallback beside the pre-tokenizer \"ByteLevel\" is not supported", where);
  CharacterRules& rules = data.characters.emplace();
  read_decoder(member(json, "decoder"), rules, where);
}

// Whether some byte of byte-level BPE has no token, and so becomes what "unk_token" names.
bool lacks_bytes(const std::vector<std::string>& tokens) {
  std::array<bool, 256> has = {};
  for (const std::string& token : tokens) {
    if (token.size() > 2) continue;  // the alphabet's characters have one byte or two
    if (const auto bytes = bytes_in_alphabet(token); bytes && bytes->size() == 1)
      has[static_cast<unsigned char>(bytes->front())] = true;
  }
  return std::ranges::find(has, false) != has.end();
}

void read_unknown(const Json& model, TokenizerData& data, std::string_view where) {
  data.fuse_unknown = get_or(model, "fuse_unk", false, where);
  const auto unknown = get_or<std::string>(model, "unk_token", "", where);
  if (unknown.empty() || (!data.characters && !lacks_bytes(data.tokens))) return;
  const auto found = std::find(data.tokens.begin(), data.tokens.end(), unknown);
  if (found == data.tokens.end())
    fail("{}: \"unk_token\" is {}, which is not in the vocabulary", where, in_quotes(unknown));
  data.unknown = static_cast<TokenId>(found - data.tokens.begin());
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
  return parse_tokenizer_files({.tokenizer = std::string(tokenizer_json),
                                .config = std::string(config_json),
                                .special_tokens = std::string(special_tokens_json),
                                .added_tokens = ""},
                               where);
}

TokenizerData parse_tokenizer_files(const TokenizerFiles& files, std::string_view where) {
  const std::string file = fmt::format("{}/tokenizer.json", where);
  TokenizerData data;
  SortedJson parsed = parse_sorted_json(files.tokenizer, file);
  if (!parsed.is_object() || !parsed.contains("model") || !parsed["model"].is_object())
    fail("{}: missing \"model\"", file);
  const SortedJson vocabulary = std::exchange(parsed["model"]["vocab"], {});
  read_vocabulary(vocabulary, data, file);
  read_merges(std::exchange(parsed["model"]["merges"], {}), data, file);

  const Json rest(parsed);
  const Json model = member(rest, "model");
  check_model(model, file);
  data.ignore_merges = get_or(model, "ignore_merges", false, file);
  read_added_tokens(member(rest, "added_tokens"), vocabulary.size(), data, file);
  read_normalizer(member(rest, "normalizer"), data, file);
  read_characters(rest, data, file);
  read_unknown(model, data, file);
  read_pre_tokenizer(member(rest, "pre_tokenizer"), data, file);

  const std::string config_file = fmt::format("{}/tokenizer_config.json", where);
  const auto read = [&](const std::string& text, const char* name) {
    return text.empty() ? Json() : parse_json(text, fmt::format("{}/{}", where, name), {.not_finite = true});
  };
  const Json config = read(files.config, "tokenizer_config.json");
  const Json special = read(files.special_tokens, "special_tokens_map.json");
  add_special_tokens({config, special, read(files.added_tokens, "added_tokens.json")}, data, where);
  read_post_processor(member(rest, "post_processor"), data, file);
  data.chat_template = chat_template(config, "default", config_file);
  data.tool_template = chat_template(config, "tool_use", config_file);
  return data;
}

TokenizerData read_tokenizer_json(const std::string& directory) {
  const fs::path folder(directory);
  const auto read_if_there = [&](const char* name) {
    return is_there(folder / name) ? read_file(folder / name) : std::string();
  };
  TokenizerFiles files{.tokenizer = "",
                       .config = read_if_there("tokenizer_config.json"),
                       .special_tokens = read_if_there("special_tokens_map.json"),
                       .added_tokens = read_if_there("added_tokens.json")};
  if (!is_there(folder / "tokenizer.json") && is_there(folder / "vocab.json") && is_there(folder / "merges.txt"))
    files.tokenizer =
        tokenizer_json_of(read_file(folder / "vocab.json"), read_file(folder / "merges.txt"), files.config, directory);
  else
    files.tokenizer = read_file(folder / "tokenizer.json");
  TokenizerData data = parse_tokenizer_files(files, directory);
  if (is_there(folder / "chat_template.jinja")) data.chat_template = read_file(folder / "chat_template.jinja");
  const fs::path for_tools = folder / "additional_chat_templates" / "tool_use.jinja";
  if (is_there(for_tools)) data.tool_template = read_file(for_tools);
  return data;
}

}  // namespace layerboost
