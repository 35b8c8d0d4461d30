#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_checkpoint.h"

namespace layerboost {

std::vector<int> known_end_tokens(const GgufFile& file) {
  constexpr std::array<std::string_view, 16> known = {"<|eot_id|>",
                                                      "<|eom_id|>",
                                                      "<|im_end|>",
                                                      "<|end|>",
                                                      "<end_of_turn>",
                                                      "<|endoftext|>",
                                                      "<|return|>",
                                                      "<|end_of_text|>",
                                                      "<|call|>",
                                                      "<end_of_utterance>",
                                                      "<EOT>",
                                                      "_<EOT>",
                                                      "<｜end▁of▁sentence｜>",
                                                      "<|eot|>",
                                                      "<turn|>",
                                                      "<|end_of_turn|>"};
  if (!file.has("tokenizer.ggml.tokens")) return {};
  const std::vector<std::string> tokens = file.texts("tokenizer.ggml.tokens");
  std::vector<int> ids;
  bool has_return = false;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (std::find(known.begin(), known.end(), tokens[id]) == known.end()) continue;
    has_return = has_return || tokens[id] == "<|return|>";
    ids.push_back(static_cast<int>(id));
  }
  // Beside <|return|> and <|call|>, as gpt-oss has them, <|end|> ends only one of an answer's parts.
  if (has_return && std::find(tokens.begin(), tokens.end(), "<|call|>") != tokens.end())
    std::erase_if(ids, [&](int id) { return tokens[static_cast<std::size_t>(id)] == "<|end|>"; });
  return ids;
}

}  // namespace layerboost
