#include "app/chat_session.h"

#include <gtest/gtest.h>

#include "engine/model_for_tests.h"
#include "mixer/mixers.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// The default model with everything a session needs.
class ChatSessions : public testing::Test {
 protected:
  void SetUp() override {
    LB_NEEDS_DEFAULT_MODEL();
    if (!model_) model_ = load_model(default_model_path(), Precision::bf16);
    mixers_.emplace(*model_);
    engine_.emplace(*model_, mixers_->list(native_specs(model_->config)), EngineOptions{{.max_sequences = 1}});
    chat_.emplace(model_->text());
  }
  static void TearDownTestSuite() { model_.reset(); }

  ChatSession session(int max_tokens, std::string system = "", int context = 0) {
    return {
        *engine_,
        *model_,
        *chat_,
        {.system = std::move(system), .sampling = {.temperature = 0}, .max_tokens = max_tokens, .context = context}};
  }

  static bool never() { return false; }
  static void ignore(std::string_view) {}

  inline static std::unique_ptr<Model> model_;
  std::optional<MixerSet> mixers_;
  std::optional<Engine> engine_;
  std::optional<ChatTemplate> chat_;
};

TEST_F(ChatSessions, AnswersAndRemembers) {
  ChatSession chat = session(12);
  std::string streamed;
  const ChatAnswer first = chat.answer(
      "What is the capital of France?", [&](std::string_view text) { streamed += text; }, never);
  EXPECT_NE(first.text.find("Paris"), std::string::npos) << first.text;
  EXPECT_EQ(streamed, first.text);
  EXPECT_LE(first.tokens, 12);
  const ChatAnswer second = chat.answer("And of Italy?", ignore, never);
  EXPECT_NE(second.text.find("Rome"), std::string::npos) << second.text;
  EXPECT_GT(second.prompt_tokens, first.prompt_tokens + first.tokens);
  ASSERT_EQ(chat.messages().size(), 4U);
  EXPECT_EQ(chat.messages()[1]["content"], first.text);
  chat.reset();
  EXPECT_TRUE(chat.messages().empty());
  EXPECT_EQ(chat.answer("What is the capital of France?", ignore, never).text, first.text);
}

TEST_F(ChatSessions, StopsWhereItIsAskedTo) {
  ChatSession chat = session(64);
  int asked = 0;
  const ChatAnswer answer = chat.answer("Count from one to a hundred.", ignore, [&] { return ++asked == 5; });
  EXPECT_EQ(answer.finish, FinishReason::cancelled);
  EXPECT_LT(answer.tokens, 6);
  EXPECT_EQ(chat.messages()[1]["content"], answer.text);
}

TEST_F(ChatSessions, ASystemPromptLengthensThePrompt) {
  ChatSession chat =
      session(1, "You are a pirate. Answer as a pirate does, at sea, in a storm, in one word, and be quick.");
  const int with_system = chat.answer("Hi", ignore, never).prompt_tokens;
  chat.set_system("Brief.");
  EXPECT_TRUE(chat.messages().empty());
  EXPECT_LT(chat.answer("Hi", ignore, never).prompt_tokens, with_system);
}

TEST_F(ChatSessions, WhatHasNoRoomIsForgottenOrRefused) {
  ChatSession chat = session(4, "Brief.", 100);
  const std::string question = "Which is the largest of all the lakes and rivers that there are, and who says so?";
  EXPECT_EQ(chat.answer(question, ignore, never).forgotten, 0U);
  EXPECT_EQ(chat.answer(question, ignore, never).forgotten, 0U);
  EXPECT_EQ(chat.answer(question, ignore, never).forgotten, 2U);
  EXPECT_EQ(chat.messages().size(), 4U);
  EXPECT_THROW(chat.answer(question + question + question + question + question, ignore, never), Error);
  EXPECT_EQ(chat.messages().size(), 4U);
}

// With RoPE that allows texts beyond the model's positions, so far only as it is asked to.
TEST(ChatSession, RemembersAsManyTokensAsItIsAskedTo) {
  const auto model = with_dynamic_rope(text_model(), 64);
  MixerSet mixers(*model);
  Engine engine(*model, mixers.list(native_specs(model->config)), EngineOptions{{.max_sequences = 1}});
  const ChatTemplate chat("{% for message in messages %}{{ message.content }}{% endfor %}", model->text());
  const std::string question(48, 'a');
  for (const int context : {0, 150, 1 << 30}) {
    ChatSession session(engine, *model, chat,
                        {.system = "", .sampling = {.temperature = 0}, .max_tokens = 4, .context = context});
    const auto ask = [&] {
      return session.answer(
          question, [](std::string_view) {}, [] { return false; });
    };
    EXPECT_EQ(ask().forgotten, 0U) << context;
    EXPECT_EQ(ask().forgotten, context == 0 ? 2U : 0U) << context;
    EXPECT_EQ(ask().forgotten, context == 1 << 30 ? 0U : 2U) << context;
  }
}

}  // namespace
}  // namespace layerboost
