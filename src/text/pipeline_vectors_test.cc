// What rare pipelines of tokenizer.json make of texts, against an independent implementation (the file says which).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/byte_alphabet.h"
#include "text/character_bpe.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace layerboost {
namespace {

Json base_of(bool characters) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const auto value = static_cast<unsigned char>(byte);
    tokens.emplace_back(characters ? byte_token_text(value) : alphabet_char(value));
  }
  if (characters) {
    tokens.insert(tokens.begin(), "<unk>");
    tokens.insert(tokens.end(), {"\u2581", "a", "b", "c", "x"});
  } else {
    std::sort(tokens.begin(), tokens.end());
  }
  Json base = Json::parse(characters ? R"({"added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                                 {"type": "ByteFallback"}, {"type": "Fuse"}]},
    "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "merges": []}})"
                                     : R"({"added_tokens": [], "decoder": {"type": "ByteLevel"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
    "model": {"type": "BPE", "merges": []}})");
  for (std::size_t id = 0; id < tokens.size(); ++id) base["model"]["vocab"][tokens[id]] = id;
  return base;
}

// Of what follows a text only what is before it is added, which the documentation says.
Json beginning(const Tokenizer& tokenizer, Json ids) {
  if (tokenizer.add_bos()) ids.insert(ids.begin(), tokenizer.text_start());
  return ids;
}

TEST(PipelineVectors, SameIds) {
  const Json file = read_json(fs::path(LAYERBOOST_SOURCE_DIR) / "src/text/testdata/pipelines.json");
  ASSERT_GT(file["cases"].size(), 10U);
  for (const Json& example : file["cases"]) {
    SCOPED_TRACE(example["patch"].dump());
    Json json = base_of(example["of"] == "characters");
    json.merge_patch(example["patch"]);
    const Tokenizer tokenizer(parse_tokenizer_json(json.dump()));
    for (const Json& text : example["texts"]) {
      const Json ids(tokenizer.encode(text[0].get<std::string>()));
      EXPECT_EQ(ids, text[1]) << text[0];
      const Json whole = beginning(tokenizer, ids);
      EXPECT_EQ(whole, Json(std::vector<Json>(text[2].begin(), text[2].begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                     whole.size(), text[2].size())))))
          << text[0];
      EXPECT_EQ(whole.size(), text[3].get<std::size_t>() + ids.size()) << text[0];
    }
  }
}

}  // namespace
}  // namespace layerboost
