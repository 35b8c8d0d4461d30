// Any bytes: as text, encode and decode give them back; as a tokenizer.json, or as vocab.json, a zero byte and
// merges.txt, they are read or refused with an Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/character_bpe.h"
#include "text/testing.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/vocab_and_merges.h"

namespace {

using layerboost::Tokenizer;

void round_trip(std::string_view text) {
  const auto make = [](const char* pre_tokenizer) {
    return Tokenizer(
        layerboost::small_tokenizer_data({"Ġ Ġ", "t h", "th e", "Ġ the", "ð Ł", "1 2", "Ċ Ċ"}, pre_tokenizer));
  };
  static const Tokenizer tokenizers[] = {make("gpt2"), make("smollm"), make("llama3"), make("qwen2")};
  for (const Tokenizer& tokenizer : tokenizers) {
    LB_CHECK(tokenizer.decode(tokenizer.encode(text, true)) == text);
    LB_CHECK(tokenizer.decode(tokenizer.encode(text, false)) == text);
  }
}

/// Of characters: "▁" reads as a space, and behind an added token there would be one more.
void round_trip_of_characters(std::string_view text) {
  static const Tokenizer tokenizer([] {
    layerboost::TokenizerData data;
    for (int byte = 0; byte < 256; ++byte)
      data.tokens.push_back(layerboost::byte_token_text(static_cast<unsigned char>(byte)));
    data.tokens.insert(data.tokens.end(), {"▁", "t", "h", "e", "th", "the", "▁the", "▁▁", "中"});
    data.characters = layerboost::CharacterRules{
        .scores = std::vector<float>(data.tokens.size(), -1), .space = "▁", .leading_spaces = 1};
    data.rewriting = {{"", "▁"}, {" ", "▁"}};
    return data;
  }());
  if (text.find(layerboost::space_mark) == std::string_view::npos)
    LB_CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
}

void normalised_twice_is_normalised(std::string_view text) {
  static const Tokenizer tokenizer([] {
    layerboost::TokenizerData data = layerboost::small_tokenizer_data({}, "qwen2");
    data.nfc = true;
    return data;
  }());
  // Without added tokens, which keep the characters on their two sides apart.
  const auto ids = tokenizer.encode(text, true);
  for (const layerboost::TokenId id : ids)
    if (id > 255) return;
  LB_CHECK(tokenizer.encode(tokenizer.decode(ids), true) == ids);
}

void read_as_json(std::string_view text, std::string_view config) {
  try {
    const Tokenizer tokenizer(layerboost::parse_tokenizer_json(text, config));
    (void)tokenizer.encode("the 12 cats\n");
  } catch (const layerboost::Error&) {  // refused, as it should be
  }
}

void read_as_vocab_and_merges(std::string_view text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const std::string_view merges = text.substr(std::min(end + 1, text.size()));
  for (const std::string_view config :
       {R"({"tokenizer_class": "GPT2Tokenizer"})", R"({"tokenizer_class": "Qwen2Tokenizer"})"}) {
    std::string json;
    try {
      json = layerboost::tokenizer_json_of(text.substr(0, end), merges, config, "input");
    } catch (const layerboost::Error&) {  // refused, as it should be
      continue;
    }
    read_as_json(json, config);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text);
  round_trip_of_characters(text);
  normalised_twice_is_normalised(text);
  read_as_json(text, text);
  read_as_vocab_and_merges(text);
  return 0;
}
