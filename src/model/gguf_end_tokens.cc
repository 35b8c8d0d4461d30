#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
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

std::vector<int> known_end_tokens(const GgufFile& file) {
  if (!file.has("tokenizer.ggml.tokens")) return {};
  const std::vector<std::string> tokens = file.texts("tokenizer.ggml.tokens");
  std::vector<std::string_view> known(ends_of_messages.begin(), ends_of_messages.end());
  std::vector<int> ids;
  for (const EndOfFile& end : ends_of_files) {
    const std::optional<int> told = file.token(end.key);
    if (told && static_cast<std::size_t>(*told) < tokens.size())
      ids.push_back(*told);
    else
      std::copy_if(end.texts.begin(), end.texts.end(), std::back_inserter(known),
                   [](std::string_view text) { return !text.empty(); });
  }
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (std::find(known.begin(), known.end(), tokens[id]) != known.end()) ids.push_back(static_cast<int>(id));
  const auto has = [&](std::string_view text) { return std::find(tokens.begin(), tokens.end(), text) != tokens.end(); };
  const auto take_out = [&](std::string_view text) {
    std::erase_if(ids, [&](int id) { return tokens[static_cast<std::size_t>(id)] == text; });
  };
  // Beside <|return|> and <|call|>, as gpt-oss has them, or <|flush|> and <|calls|>, <|end|> ends only one of an
  // answer's parts.
  if ((has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>"))) take_out("<|end|>");
  if (has("<|tool_response>")) take_out("</s>");
  return ids;
}

}  // namespace layerboost
