#include "eval/retrieval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "eval/tokenizer_for_tests.h"
#include "mixer/model_for_tests.h"
#include "text/character_bpe.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

Tokenizer tokenizer_that_chats() {
  TokenizerData data = tokenizer_data_for_tests();
  data.chat_template = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}";
  return Tokenizer(std::move(data));
}

RetrievalOptions options_for_tests(int length = 1500) {
  RetrievalOptions options;
  options.length = length;
  options.depths = 4;
  return options;
}

TEST(RetrievalWordings, EachKindIsSplitInHalvesThatHaveNothingInCommon) {
  const auto wordings = all_wordings();
  std::set<std::vector<int>> splits;
  for (std::uint64_t split = 0; split < 5; ++split) {
    std::map<NeedleKind, int> count;
    std::set<int> seen;
    const auto choosing = wordings_for(WordingUse::choose, split);
    splits.insert(choosing);
    EXPECT_EQ(choosing.front(), 0) << "the wording of `passkey` may not report";
    for (const int i : choosing) {
      ++count[wordings[static_cast<std::size_t>(i)].kind];
      seen.insert(i);
    }
    for (const int i : wordings_for(WordingUse::report, split)) {
      --count[wordings[static_cast<std::size_t>(i)].kind];
      EXPECT_TRUE(seen.insert(i).second) << i;
    }
    EXPECT_EQ(seen.size(), wordings.size());
    EXPECT_EQ(count.size(), 6U);
    for (const auto& [kind, surplus] : count) EXPECT_EQ(surplus, 0) << name_of(kind);
  }
  EXPECT_GT(splits.size(), 3U);
}

TEST(RetrievalWordings, AreDifferentAndAskForWhatTheyState) {
  std::set<std::string> labels;
  for (const RetrievalWording& wording : all_wordings()) {
    EXPECT_TRUE(labels.insert(label_of(wording)).second) << label_of(wording);
    const std::string fact = wording.kind == NeedleKind::row ? wording.row : wording.fact;
    const std::string asked = std::string(wording.question) + wording.lead;
    EXPECT_THAT(fact, HasSubstr("{v}"));
    EXPECT_EQ(asked.find("{v}"), std::string::npos);
    EXPECT_EQ(wording.key == NeedleKey::none, asked.find("{k}") == std::string::npos) << asked;
    EXPECT_EQ(wording.key == NeedleKey::none, fact.find("{k}") == std::string::npos) << fact;
    EXPECT_EQ(wording.kind == NeedleKind::row, std::string(wording.fact).find("{rows}") != std::string::npos);
  }
}

TEST(Retrieval, ItemsHoldTheAnswerAtTheirDepthAndAskAtTheEnd) {
  const Tokenizer tokenizer = tokenizer_that_chats();
  const FillerText filler = repeated_filler();
  std::map<std::pair<int, bool>, int> rows;
  for (const RetrievalItem& item : retrieval_items(tokenizer, {&filler, 1}, options_for_tests())) {
    ++rows[{item.wording, item.chat}];
    EXPECT_LE(std::ssize(item.prompt), 1500);
    EXPECT_GT(std::ssize(item.prompt), 1450) << "filled up as far as whole sentences go";
    const std::string prompt = tokenizer.decode(item.prompt), answer = tokenizer.decode(item.answer);
    const std::string value = answer.substr(answer.starts_with(' ') ? 1 : 0);
    const std::size_t place = prompt.find(value);
    ASSERT_NE(place, std::string::npos) << prompt << "\n" << value;
    EXPECT_NEAR(static_cast<double>(place) / static_cast<double>(prompt.size()), item.depth, 0.27) << prompt;
    EXPECT_EQ(item.chat, prompt.find("</s>") != std::string::npos);
  }
  EXPECT_EQ(rows.size(), 2 * wordings_for(WordingUse::report).size());
  for (const auto& [row, count] : rows) EXPECT_EQ(count, 4);
}

TEST(Retrieval, FillerIsCountedWithoutTheSpaceThatTextsGetInFront) {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.tokens.push_back(byte_token_text(static_cast<unsigned char>(byte)));
  data.tokens.emplace_back(space_mark);
  data.characters = CharacterRules{.scores = {}, .space = std::string(space_mark), .leading_spaces = 1};
  data.rewriting = {{"", std::string(space_mark)}, {" ", std::string(space_mark)}};
  const Tokenizer tokenizer(std::move(data));
  const FillerText filler = repeated_filler();
  for (const RetrievalItem& item : retrieval_items(tokenizer, {&filler, 1}, options_for_tests())) {
    EXPECT_LE(std::ssize(item.prompt), 1500);
    EXPECT_GT(std::ssize(item.prompt), 1460) << "filled up as far as whole sentences go";
  }
}

TEST(Retrieval, AlsoThroughATextOfTheUsers) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  std::string prose;
  for (int i = 0; i < 200; ++i) prose += fmt::format("Sentence number {} of a book.{}", i, i % 7 == 0 ? "\n\n" : " ");
  const FillerText fillers[] = {repeated_filler(), filler_of(prose)};
  int in_prose = 0, in_sentences = 0;
  for (const RetrievalItem& item : retrieval_items(tokenizer, fillers, options_for_tests())) {
    EXPECT_FALSE(item.chat) << "there is no template";
    const std::string prompt = tokenizer.decode(item.prompt);
    in_prose += prompt.find("of a book.") != std::string::npos;
    in_sentences += prompt.find("The grass is green.") != std::string::npos;
  }
  EXPECT_EQ(in_prose, in_sentences);
}

TEST(Retrieval, FillerPutTogetherIsTheText) {
  const std::string text =
      "One. Two!  Three?\nfour\n\n" + std::string(1000, 'x') + " five " + std::string(500, 'y') + " six seven";
  const FillerText pieces = filler_of(text);
  std::string together;
  for (const std::string& piece : pieces) together += piece;
  EXPECT_TRUE(text.starts_with(together));
  EXPECT_GE(pieces.size(), 5U);
  EXPECT_EQ(pieces[1], " Two!");
  EXPECT_TRUE(filler_of("").empty());
}

TEST(Retrieval, FactsComeFromTheSeedAndAreThoseOfBothForms) {
  const Tokenizer tokenizer = tokenizer_that_chats();
  const FillerText filler = repeated_filler();
  RetrievalOptions options = options_for_tests();
  const auto first = retrieval_items(tokenizer, {&filler, 1}, options);
  const auto again = retrieval_items(tokenizer, {&filler, 1}, options);
  options.seed = 1;
  const auto other = retrieval_items(tokenizer, {&filler, 1}, options);
  int same = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].prompt, again[i].prompt);
    same += first[i].answer == other[i].answer;
  }
  EXPECT_LT(same, 20);
  EXPECT_FALSE(first[0].chat);
  EXPECT_TRUE(first[4].chat);
  EXPECT_EQ(first[0].wording, first[4].wording);
  EXPECT_THAT(tokenizer.decode(first[0].answer), HasSubstr(tokenizer.decode(first[4].answer)));
}

TEST(Retrieval, WordingsFormsAndDepthsTakeTurns) {
  const Tokenizer tokenizer = tokenizer_that_chats();
  const auto rows = 2 * wordings_for(WordingUse::choose).size();
  std::set<std::pair<int, bool>> asked;
  std::set<double> places;
  for (const RetrievalItem& item : choosing_questions(tokenizer, {}, 1500, static_cast<int>(rows), 0, -1)) {
    asked.insert({item.wording, item.chat});
    places.insert(item.depth);
  }
  EXPECT_EQ(asked.size(), rows);
  EXPECT_EQ(std::ssize(places), retrieval_depths);
}

TEST(Retrieval, LengthsThatAreTooShort) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const FillerText filler = repeated_filler();
  EXPECT_THROW(retrieval_items(tokenizer, {&filler, 1}, options_for_tests(60)), Error);
  const auto some = retrieval_items(tokenizer, {&filler, 1}, options_for_tests(200));
  EXPECT_FALSE(some.empty()) << "those without a table fit";
  EXPECT_LT(some.size(), 18U * 4);
}

TEST(Retrieval, TextsToLearnFromAskForWhatTheyStateInWordingsThatChoose) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const FillerText filler = repeated_filler();
  std::set<std::vector<TokenId>> texts;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto tokens = retrieval_text(tokenizer, filler, 2000, seed, tokenizer.bos());
    EXPECT_EQ(tokens.size(), 2000U);
    EXPECT_EQ(tokens.front(), tokenizer.bos());
    texts.insert(tokens);
    const std::string text = tokenizer.decode(tokens);
    const auto asks = [&](WordingUse use) {
      int count = 0;
      for (const int i : wordings_for(use)) {
        const std::string question = all_wordings()[static_cast<std::size_t>(i)].question;
        const std::size_t key = question.find("{k}");
        const std::string begin = question.substr(0, key),
                          end = key == std::string::npos ? "" : question.substr(key + 3);
        for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
          constexpr std::size_t longest_key = 24;
          if (text.substr(at + begin.size(), longest_key + end.size()).find(end) == std::string::npos) continue;
          ++count;
          break;
        }
      }
      return count;
    };
    EXPECT_GT(asks(WordingUse::choose), 1) << text;
    EXPECT_EQ(asks(WordingUse::report), 0) << text;
  }
  EXPECT_EQ(texts.size(), 8U);
  EXPECT_THROW(retrieval_text(tokenizer, filler, 100, 0, -1), Error);
}

TEST(Retrieval, SummaryAndWhatIsKept) {
  std::vector<RetrievalItem> items;
  for (const int wording : {3, 4})
    for (const bool chat : {false, true})
      for (int i = 0; i < 2; ++i) items.push_back({wording, chat, 0.5, {}, {}});
  const auto result = [&](std::vector<bool> found) {
    std::vector<Score> scores;
    for (const bool hit : found) scores.push_back({hit ? -1.0 : -3.0, hit, 5, hit ? 1.0 : -1.0});
    return summarize_retrieval(items, scores, 64);
  };
  const RetrievalResult base = result({true, true, true, true, true, false, false, false});
  const RetrievalResult changed = result({true, false, true, true, true, true, true, false});
  EXPECT_DOUBLE_EQ(base.found(false), 0.75);
  EXPECT_DOUBLE_EQ(base.log_prob(false), -1.5);
  EXPECT_DOUBLE_EQ(changed.margin(true), 0.5);
  EXPECT_EQ(changed.worst(false)->wording, 3);
  const RetrievalKept plain = retrieval_kept(base, changed, false), chat = retrieval_kept(base, changed, true);
  EXPECT_DOUBLE_EQ(plain.share, 1);
  EXPECT_DOUBLE_EQ(plain.worst, 0.5);
  EXPECT_EQ(plain.worst_wording, 3);
  EXPECT_DOUBLE_EQ(chat.share, 1.5);
  EXPECT_DOUBLE_EQ(chat.worst, 1) << "of what the unchanged model doesn't find nothing can be lost";
}

TEST(Retrieval, TheDefaultModelFindsWhatItIsAskedFor) {
  LB_NEEDS_DEFAULT_MODEL();
  const auto model = load_model(default_model_path(), Precision::bf16);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const FillerText filler = repeated_filler();
  RetrievalOptions options;
  options.length = 300;
  options.depths = 1;
  std::vector<RetrievalItem> items = retrieval_items(model->text(), {&filler, 1}, options);
  std::erase_if(items, [](const RetrievalItem& item) {
    return all_wordings()[static_cast<std::size_t>(item.wording)].kind != NeedleKind::passage;
  });
  const RetrievalResult result = run_retrieval(subject, items, options.length);
  EXPECT_GT(result.found(false), 0.5);
  EXPECT_GT(result.found(true), 0.5);
}

}  // namespace
}  // namespace layerboost
