#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/gguf_checkpoint.h"

namespace layerboost {
namespace {

constexpr std::array<std::string_view, 24> ends_of_messages = {"<|eot_id|>",
                                                               "<|eom_id|>",
                                                               "<|im_end|>",
                                                               "<|end|>",
                                                               "<|return|>",
                                                               "<|call|>",
                                                               "<|flush|>",
                                                               "<|calls|>",
                                                               "<end_of_turn>",
                                                               "<|endoftext|>",
                                                               "</s>",
                                                               "<EOT>",
                                                               "_<EOT>",
                                                               "[EOT]",
                                                               "[EOS]",
                                                               "<|end_of_text|>",
                                                               "<end_of_utterance>",
                                                               "<eos>",
                                                               "<turn|>",
                                                               "<|tool_response>",
                                                               "<｜end▁of▁sentence｜>",
                                                               "[e~[",
                                                               "<|eot|>",
                                                               "<|end_of_turn|>"};

/// What stands, in models of code, where there is no more text, or where another repository or file begins: the token
/// under `key`, or without one those of these texts.
struct EndOfFile {
  const char* key;
  std::array<std::string_view, 5> texts;
};

constexpr EndOfFile ends_of_files[] = {
    {"tokenizer.ggml.fim_pad_token_id", {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {"tokenizer.ggml.fim_rep_token_id", {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {"tokenizer.ggml.fim_sep_token_id", {"<|file_sep|>"}},
};

}  // namespace

EndTokens known_end_tokens(const GgufFile& file) {
  if (!file.has("tokenizer.ggml.tokens")) return {};
  const std::vector<std::string> tokens = file.texts("tokenizer.ggml.tokens");
  std::vector<std::string_view> known(ends_of_messages.begin(), ends_of_messages.end());
  std::vector<int> told_ids;
  for (const EndOfFile& end : ends_of_files) {
    const std::optional<int> told = file.token(end.key);
    if (told && static_cast<std::size_t>(*told) < tokens.size())
      told_ids.push_back(*told);
    else
      std::copy_if(end.texts.begin(), end.texts.end(), std::back_inserter(known),
                   [](std::string_view text) { return !text.empty(); });
  }
  const auto ids_of = [&](const std::vector<std::string_view>& texts) {
    std::vector<int> ids;
    for (std::size_t id = 0; id < tokens.size(); ++id)
      if (std::find(texts.begin(), texts.end(), tokens[id]) != texts.end()) ids.push_back(static_cast<int>(id));
    return ids;
  };
  const auto has = [&](std::string_view text) { return std::find(tokens.begin(), tokens.end(), text) != tokens.end(); };
  std::vector<std::string_view> never;
  // Beside <|return|> and <|call|>, as gpt-oss has them, or <|flush|> and <|calls|>, <|end|> ends only one of an
  // answer's parts.
  if ((has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>"))) never.emplace_back("<|end|>");
  if (has("<|tool_response>")) never.emplace_back("</s>");
  EndTokens ends{std::move(told_ids), ids_of(never)};
  const std::vector<int> found = ids_of(known);
  ends.more.insert(ends.more.end(), found.begin(), found.end());
  return ends;
}

}  // namespace layerboost
