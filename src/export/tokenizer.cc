#include "export/tokenizer.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/error.h"
#include "base/log.h"
#include "text/decoder_json.h"
#include "text/normalizer_json.h"
#include "text/pre_tokenizer_json.h"
#include "text/score_merges.h"

namespace layerboost {
namespace {

/// Puts BOS before every text.
SortedJson bos_template(const TokenizerData& data) {
  const TokenId first = data.text_start >= 0 ? data.text_start : data.bos;
  const std::string& bos = data.tokens[static_cast<std::size_t>(first)];
  const auto part = [](const char* kind, const std::string& id, int type) {
    return SortedJson{{kind, {{"id", id}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", {part("SpecialToken", bos, 0), part("Sequence", "A", 0)}},
          {"pair",
           {part("SpecialToken", bos, 0), part("Sequence", "A", 0), part("SpecialToken", bos, 1),
            part("Sequence", "B", 1)}},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", {first}}, {"tokens", {bos}}}}}}};
}

/// The added tokens that are to stay out of the vocabulary, because with `ignore_merges` a piece could become one that
/// is in it. None where they would get other ids than theirs: those that follow the vocabulary.
std::vector<bool> outside_vocabulary(const TokenizerData& data) {
  std::vector<bool> outside(data.tokens.size(), false);
  if (!data.ignore_merges) return outside;
  std::vector<TokenId> ids;
  for (const AddedToken& token : data.added)
    if (!token.in_vocabulary) ids.push_back(token.id);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (static_cast<std::size_t>(ids[i]) != data.tokens.size() - ids.size() + i) return outside;
  const auto others = std::span(data.tokens).first(data.tokens.size() - ids.size());
  if (std::any_of(others.begin(), others.end(), [](const std::string& token) { return token.empty(); })) return outside;
  for (const TokenId id : ids) outside[static_cast<std::size_t>(id)] = true;
  return outside;
}

/// transformers' way of keeping a second template beside the default one.
Json chat_templates_json(const TokenizerData& data) {
  if (data.tool_template.empty()) return data.chat_template;
  return {{{"name", "default"}, {"template", data.chat_template}},
          {{"name", "tool_use"}, {"template", data.tool_template}}};
}

}  // namespace

Json tokenizer_config_json(const TokenizerData& data, const Json& tokens, int positions) {
  Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
               {"model_max_length", positions},
               {"clean_up_tokenization_spaces", false},
               {"add_bos_token", data.add_bos}};
  for (const char* name : {"bos_token", "eos_token", "pad_token"}) {
    const std::string id = std::string(name) + "_id";
    if (!tokens.contains(id)) continue;
    const Json& value = tokens[id];
    const auto token = value.is_array() ? value[0].get<TokenId>() : value.get<TokenId>();
    json[name] = data.tokens[static_cast<std::size_t>(token)];
  }
  if (!data.chat_template.empty()) json["chat_template"] = chat_templates_json(data);
  return json;
}

std::string tokenizer_json(const TokenizerData& data) {
  SortedJson added = SortedJson::array();
  for (const AddedToken& token : data.added)
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  SortedJson vocab = SortedJson::object();
  const std::vector<bool> outside = outside_vocabulary(data);
  for (std::size_t id = 0; id < data.tokens.size(); ++id)
    if (!data.tokens[id].empty() && !outside[id]) vocab[data.tokens[id]] = id;
  SortedJson model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"fuse_unk", data.unknown >= 0 && data.fuse_unknown},
                      {"end_of_word_suffix", nullptr},
                      {"byte_fallback", false},
                      {"ignore_merges", data.ignore_merges}};
  if (data.characters) model["byte_fallback"] = true;
  if (data.unknown >= 0) model["unk_token"] = data.tokens[static_cast<std::size_t>(data.unknown)];
  model["vocab"] = std::move(vocab);
  model["merges"] = merge_list(data);
  SortedJson json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  json["added_tokens"] = std::move(added);
  json["normalizer"] = normalizer_json(data);
  json["pre_tokenizer"] = pre_tokenizer_json(data);
  json["post_processor"] = data.add_bos && (data.bos >= 0 || data.text_start >= 0) ? bos_template(data) : SortedJson();
  json["decoder"] =
      data.characters
          ? decoder_json(*data.characters)
          : SortedJson{{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  json["model"] = std::move(model);
  return json.dump(-1, ' ', false, SortedJson::error_handler_t::replace) + "\n";
}

Json export_tokenizer(const Checkpoint& checkpoint, const fs::path& path, int positions, const fs::path& directory) {
  TokenizerData data;
  try {
    data = checkpoint.tokenizer();
  } catch (const Error& error) {
    warn("no tokenizer exported: {}", error.what());
    return Json::object();
  }
  const Config& config = checkpoint.config();
  Json tokens = Json::object();
  if (data.bos >= 0) tokens["bos_token_id"] = data.bos;
  std::vector<TokenId> ends = {data.eos};
  for (const int id : config.eos)
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  std::erase(ends, -1);
  if (!ends.empty()) {
    tokens["eos_token_id"] = ends.size() == 1 ? Json(ends[0]) : Json(ends);
    tokens["pad_token_id"] = ends[0];  // what batches are filled up with is never looked at
  }
  constexpr std::array files = {"tokenizer.json",          "tokenizer_config.json",
                                "chat_template.jinja",     "additional_chat_templates/tool_use.jinja",
                                "special_tokens_map.json", "generation_config.json",
                                "added_tokens.json"};
  if (fs::exists(path / "tokenizer.json")) {
    for (const char* file : files)
      if (fs::exists(path / file)) write_file(directory / file, read_file(path / file));
  } else {
    write_file(directory / "tokenizer.json", tokenizer_json(data));
    write_json(directory / "tokenizer_config.json", tokenizer_config_json(data, tokens, positions));
  }
  if (!fs::exists(directory / "generation_config.json")) write_json(directory / "generation_config.json", tokens);
  return tokens;
}

}  // namespace layerboost
