#include "text/vocab_and_merges.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/json.h"
#include "text/pre_tokenizer_json.h"

namespace layerboost {

std::string tokenizer_json_of(std::string_view vocab_json, std::string_view merges_txt, std::string_view config_json,
                              std::string_view where) {
  const std::string config_file = fmt::format("{}/tokenizer_config.json", where);
  const Json config = config_json.empty() ? Json::object() : parse_json(config_json, config_file, {.not_finite = true});
  auto kind = get_or<std::string>(config, "tokenizer_class", "", config_file);
  if (kind.ends_with("Fast")) kind.resize(kind.size() - 4);
  if (kind != "GPT2Tokenizer" && kind != "Qwen2Tokenizer")
    fail(
        "{}: vocab.json and merges.txt of a tokenizer of {}; without tokenizer.json only GPT2Tokenizer and "
        "Qwen2Tokenizer are supported (save it with transformers' AutoTokenizer to get one)",
        where, kind.empty() ? "no class, which \"tokenizer_class\" would name" : "class " + in_quotes(kind));
  TokenizerData rule;
  rule.pre_tokenizer = kind == "GPT2Tokenizer" ? "gpt2" : "qwen2";
  SortedJson merges = SortedJson::array();
  for (std::string_view rest = merges_txt; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    merges.push_back(line);
  }
  SortedJson json;
  json["model"] = {{"type", "BPE"}};
  json["model"]["vocab"] = parse_sorted_json(vocab_json, fmt::format("{}/vocab.json", where));
  json["model"]["merges"] = std::move(merges);
  json["normalizer"] = kind == "Qwen2Tokenizer" ? SortedJson{{"type", "NFC"}} : SortedJson();
  json["pre_tokenizer"] = pre_tokenizer_json(rule);
  if (kind == "GPT2Tokenizer" && get_or(config, "add_prefix_space", false, config_file))
    json["pre_tokenizer"]["add_prefix_space"] = true;
  return json.dump(-1, ' ', false, SortedJson::error_handler_t::replace);
}

}  // namespace layerboost
