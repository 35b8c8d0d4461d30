#include "heal/heal_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error_for_tests.h"
#include "base/sealed_file.h"
#include "heal/model_for_tests.h"
#include "heal/token_text.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

std::vector<TokenId> tokens_of(const TokenText& text) { return {text.tokens.begin(), text.tokens.end()}; }

TEST(TokenText, ReadsLinesOfJsonAndPlainText) {
  const test::HealFolder folder("token-text");
  // a = 0, b = 1, ab = 2; the line's end is not in the vocabulary.
  const std::string lines = folder.file("x.jsonl", "{\"text\": \"aab\"}\n\n{\"text\": \"b\", \"more\": 1}\n");
  EXPECT_EQ(tokens_of(read_token_text(folder.model(), lines)), (std::vector<TokenId>{0, 2, 1}));
  const std::string plain = folder.file("x.txt", "aab\nb");
  EXPECT_EQ(tokens_of(read_token_text(folder.model(), plain)), (std::vector<TokenId>{0, 2, 1}));

  // What the cache has is read again, and belongs to the content.
  for (const auto& entry : fs::directory_iterator(folder.path("layerboost/tokens")))
    write_file(entry.path(), sealed(std::string(8, '\0')));
  EXPECT_EQ(tokens_of(read_token_text(folder.model(), plain)), (std::vector<TokenId>{0, 0}));
  EXPECT_EQ(tokens_of(read_token_text(folder.model(), folder.file("x.txt", "b"))), (std::vector<TokenId>{1}));
}

TEST(TokenText, RefusesTokensWithoutEmbeddings) {
  const test::HealFolder folder("token-text-beyond");
  const auto model = load_model(folder.path("model.gguf"), Precision::f32);
  model->config.vocab = 2;  // the tokenizer has "ab", too
  EXPECT_THAT(test::error_of([&] { (void)read_token_text(*model, folder.file("x.txt", "aab")); }),
              HasSubstr("\"ab\" in the text is token 2, and the model has 2 embeddings"));
}

TEST(TokenText, DamagedTokensAreMadeAgain) {
  const test::HealFolder folder("token-text-damaged");
  const std::string plain = folder.file("x.txt", "aab\nb");
  const std::vector<TokenId> right = tokens_of(read_token_text(folder.model(), plain));
  const fs::path cached = fs::directory_iterator(folder.path("layerboost/tokens"))->path();
  const std::string whole = read_file(cached);
  std::string changed = whole;
  changed[4] ^= 1;  // another token of the vocabulary
  for (const std::string& damaged : {whole.substr(0, whole.size() / 8 * 4), changed, std::string(whole.size(), '\0'),
                                     whole.substr(0, 8), std::string()}) {
    write_file(cached, damaged);
    EXPECT_EQ(tokens_of(read_token_text(folder.model(), plain)), right);
    EXPECT_EQ(read_file(cached), whole);
  }
}

TEST(TokenText, LongPlainTextIsOneText) {
  const test::HealFolder folder("token-text-long");
  std::string text;
  for (int i = 0; i < 100000; ++i) text += i % 70 == 69 ? '\n' : i % 3 == 0 ? 'b' : 'a';
  const auto whole = folder.model().text().encode(text);
  EXPECT_EQ(tokens_of(read_token_text(folder.model(), folder.file("x.txt", text))), whole);
}

TEST(TokenText, OnlyTheBeginningOfPlainTextGetsASpaceInFront) {
  const test::HealFolder folder("token-text-spaces");
  test::write_lettered_model(folder.path("spaces.gguf"), [](test::GgufWriter& writer) {
    writer.text("tokenizer.ggml.model", "llama");
    writer.texts("tokenizer.ggml.tokens", {"<unk>", "a", "b", "▁", "\n"});
    writer.i32s("tokenizer.ggml.token_type", {2, 1, 1, 1, 1});
    writer.f32s("tokenizer.ggml.scores", {0, 0, 0, 0, 0});
    writer.flag("tokenizer.ggml.add_bos_token", false);
  });
  const auto model = load_model(folder.path("spaces.gguf"), Precision::f32);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += i % 70 == 69 ? '\n' : i % 3 == 0 ? 'b' : 'a';
  const std::vector<TokenId> tokens = tokens_of(read_token_text(*model, folder.file("x.txt", text)));
  EXPECT_EQ(tokens.front(), 3);
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), 3), 1);
  EXPECT_EQ(tokens, model->text().encode(text));
  const std::string lines = folder.file("x.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
  EXPECT_EQ(tokens_of(read_token_text(*model, lines)), (std::vector<TokenId>{3, 1, 4, 3, 2, 4}));
}

TEST(TokenText, RefusesWhatIsNoText) {
  const test::HealFolder folder("token-text-bad");
  const auto error = [&](const char* name, const std::string& content) {
    const std::string path = folder.file(name, content);
    return test::error_of([&] { read_token_text(folder.model(), path); });
  };
  EXPECT_THAT(error("empty.txt", ""), HasSubstr("empty.txt is empty"));
  EXPECT_THAT(error("blank.jsonl", "\n\n"), HasSubstr("blank.jsonl: no text in it"));
  EXPECT_THAT(error("bad.txt", "a\nb\n\xff\n"), HasSubstr("bad.txt:3: not UTF-8"));
  EXPECT_THAT(error("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xff\"}\n"), HasSubstr("bad.jsonl:2: not UTF-8"));
  EXPECT_THAT(error("key.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"a\"}\n"),
              HasSubstr("key.jsonl:2: missing key \"text\""));
  EXPECT_THAT(error("json.jsonl", "text\n"), HasSubstr("json.jsonl:1"));
  EXPECT_FALSE(fs::exists(folder.path("layerboost/tokens"))  // nothing half-written
               && !fs::is_empty(folder.path("layerboost/tokens")));
}

TEST(HealText, EveryPassReadsEachSequenceOnce) {
  const test::HealFolder folder("heal-text");
  const auto text = open_heal_text(folder.model(), {{folder.corpus("a.jsonl", 40, 50)}, "", 10, 2, 0, 5});
  const std::int64_t size = text->size();
  ASSERT_GT(size, 50);
  ASSERT_EQ(text->held_out().size(), 1U);
  std::vector<std::vector<TokenId>> first, second;
  for (std::int64_t i = 0; i < size; ++i) first.push_back(text->sequence(i));
  for (std::int64_t i = size; i < 2 * size; ++i) second.push_back(text->sequence(i));
  EXPECT_NE(first, second);
  EXPECT_EQ(text->sequence(3), first[3]);  // in any order
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_EQ(first, second);
  for (const auto& sequence : first) EXPECT_EQ(sequence.size(), 10U);
}

TEST(HealText, WritesNoMoreThanIsWanted) {
  const test::HealFolder folder("heal-text-self");
  const auto text = open_heal_text(folder.model(), {{"self"}, "", 8, 1, 3, 5});
  EXPECT_EQ(text->size(), 3);
  EXPECT_EQ(text->sequence(2).size(), 8U);
  std::vector<std::string> counts;
  for (const auto& file : fs::directory_iterator(folder.path("layerboost/self_text")))
    counts.push_back(file.path().stem().string().substr(file.path().stem().string().rfind('-')));
  EXPECT_THAT(counts, testing::UnorderedElementsAre("-1x8", "-3x8"));  // held out, and read
}

TEST(HealText, HeldOutFileAndSeveralTexts) {
  const test::HealFolder folder("heal-text-files");
  const std::string a = folder.corpus("a.jsonl", 10, 50), b = folder.file("b.txt", std::string(35, 'b'));
  const auto alone = open_heal_text(folder.model(), {{a}, b, 10, 2, 0, 5});
  const auto both = open_heal_text(folder.model(), {{a, b}, b, 10, 2, 0, 5});
  EXPECT_EQ(both->size(), alone->size() + 3);
  EXPECT_EQ(alone->held_out(), std::vector(2, std::vector<TokenId>(10, 1)));
  EXPECT_EQ(alone->held_out_name(), "b.txt");
  EXPECT_NE(alone->hash(), both->hash());
}

TEST(HealText, RefusesTooLittle) {
  const test::HealFolder folder("heal-text-bad");
  const std::string little = folder.file("b.txt", "bbbbbbbbbbb");
  const auto error = [&](const HealTextOptions& options) {
    return test::error_of([&] { open_heal_text(folder.model(), options); });
  };
  EXPECT_THAT(error({{little}, "", 12, 1, 0, 0}), HasSubstr("b.txt has 11 tokens of text: one sequence needs 12"));
  EXPECT_THAT(error({{little}, "", 11, 1, 0, 0}), HasSubstr("one is held out"));
  EXPECT_THAT(error({{little}, "", 257, 1, 0, 0}), HasSubstr("only 256 positions"));
  EXPECT_THAT(error({{little, "self"}, "", 5, 1, 0, 0}), HasSubstr("give each a weight, as in book.txt:0.7,self:0.3"));
  EXPECT_THAT(error({{little + ":1", "self"}, "", 5, 1, 0, 0}), HasSubstr("give each source a weight or none"));
  EXPECT_THAT(error({{little + ":0", "self:1"}, "", 5, 1, 0, 0}), HasSubstr("a weight is a number greater than 0"));
  EXPECT_THAT(error({{little + ":x"}, "", 5, 1, 0, 0}),
              HasSubstr("b.txt:x"));  // a file of that name, which isn't there
}

TEST(HealText, MixturesKeepToTheirWeights) {
  const test::HealFolder folder("heal-text-mixture");
  const std::string a = folder.corpus("a.jsonl", 40, 50), b = folder.file("b.txt", std::string(200, 'b'));
  const HealTextOptions options = {{a + ":3", b + ":1"}, "", 10, 8, 100, 5};
  const auto mixture = open_heal_text(folder.model(), options);
  EXPECT_EQ(mixture->name(), "75 % a.jsonl, 25 % b.txt");
  EXPECT_EQ(mixture->held_out().size(), 2U) << "of each source, the last sequence";
  const std::vector<TokenId> of_b(10, 1);
  int from_b = 0;
  std::vector<std::vector<TokenId>> read;
  for (int i = 0; i < 40; ++i) {
    read.push_back(mixture->sequence(i));
    from_b += read.back() == of_b;
    EXPECT_NEAR(from_b, (i + 1) / 4.0, 1) << "all the way";
  }
  EXPECT_EQ(mixture->sequence(7), read[7]);  // in any order
  EXPECT_EQ(open_heal_text(folder.model(), options)->hash(), mixture->hash());
  EXPECT_NE(open_heal_text(folder.model(), {{a + ":2", b + ":1"}, "", 10, 8, 100, 5})->hash(), mixture->hash());
}

TEST(HealText, WritesChatsAndFacts) {
  const test::HealFolder folder("heal-text-words");
  const auto mixture = open_heal_text(folder.model(), {{"chat:1", "facts:1"}, "", 200, 2, 4, 5});
  EXPECT_EQ(mixture->name(), "50 % chat, 50 % facts");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(mixture->sequence(i).size(), 200U);
  EXPECT_NE(mixture->sequence(1), mixture->sequence(3));
  EXPECT_EQ(open_heal_text(folder.model(), {{"facts"}, "", 200, 2, 4, 5})->name(), "facts");
}

}  // namespace
}  // namespace layerboost
