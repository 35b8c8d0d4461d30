// A tokenizer and the ids of an independent implementation, as scripts/tokenizer-megabyte.py writes them: too much to
// lie here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf_checkpoint.h"
#include "model/tiny_models_for_tests.h"
#include "text/tokenizer_json.h"

namespace layerboost {
namespace {

/// The same tokenizer as a GGUF file names it: `pre`, or "llama" for one of SentencePiece's kind.
Tokenizer in_gguf(const std::string& pre, const Json& model) {
  std::vector<std::string> tokens(model["vocab"].size()), merges;
  for (const auto& [token, id] : model["vocab"].items()) tokens.at(id.get<std::size_t>()) = token;
  for (const Json& merge : model["merges"])
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  test::GgufWriter w;
  w.text("general.architecture", "llama");
  w.text("tokenizer.ggml.model", pre == "llama" ? "llama" : "gpt2");
  w.texts("tokenizer.ggml.tokens", tokens);
  if (pre == "llama") {
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      scores.push_back(-static_cast<float>(id));
      types.push_back(id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1);
    }
    w.f32s("tokenizer.ggml.scores", scores);
    w.i32s("tokenizer.ggml.token_type", types);
    w.u32("tokenizer.ggml.unknown_token_id", 0);
  } else {
    w.text("tokenizer.ggml.pre", pre);
    w.texts("tokenizer.ggml.merges", merges);
  }
  const std::string bytes = w.file();
  return Tokenizer(gguf_tokenizer(GgufFile(test::as_bytes(bytes), "a.gguf")));
}

TEST(TokenizerKinds, IdsAreThoseOfTokenizers) {
  const char* const path = std::getenv("LAYERBOOST_TOKENIZER_KIND");
  if (path == nullptr)
    GTEST_SKIP() << "LAYERBOOST_TOKENIZER_KIND names no file (scripts/tokenizer-megabyte.py makes one)";
  const Json file = read_json(path);
  const auto source = file["tokenizer"].get<std::string>(), gguf = file["gguf"].get<std::string>();
  const auto differing = [&](const Tokenizer& tokenizer) {
    int differ = 0;
    for (std::size_t i = 0; i < file["texts"].size(); ++i) {
      const auto text = file["texts"][i].get<std::string>();
      if (Json(tokenizer.encode(text)) == file["ids"][i]) continue;
      if (++differ <= 3)
        ADD_FAILURE() << file["texts"][i] << "\n" << Json(tokenizer.encode(text)) << "\n" << file["ids"][i];
    }
    return differ;
  };
  std::size_t bytes = 0, ids = 0;
  for (const Json& text : file["texts"]) bytes += text.get_ref<const std::string&>().size();
  for (const Json& list : file["ids"]) ids += list.size();
  const int in_json = differing(Tokenizer(parse_tokenizer_json(source)));
  const std::string of_gguf =
      gguf.empty() ? "-" : fmt::format("{}", differing(in_gguf(gguf, Json::parse(source)["model"])));
  fmt::print("| `{}` | {} | {} | {} | {} | {} |\n", file["kind"].get<std::string>(), file["texts"].size(), bytes, ids,
             in_json, of_gguf);
}

}  // namespace
}  // namespace layerboost
