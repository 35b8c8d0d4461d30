// RoPE whose rotations are others for long texts (RopeConfig::rotations()).
#include "mixer/model_for_tests.h"
#include "model/hf_config.h"

namespace layerboost {
namespace {

// The references were made by transformers 5.24.0 of the tiny llama in float32, with this rope_scaling in its
// configuration: log-probabilities of texts that it read at once, and a greedy text each token of which comes from
// reading at once all before it.
class LongTextsOfType : public testing::TestWithParam<const char*> {};

TEST_P(LongTextsOfType, AsTransformersReadsThemAtOnce) {
  const fs::path directory = shared_path() / "reference/tiny/llama";
  LB_SKIP_WITHOUT(directory);
  const Json expected = read_json(fmt::format("{}/src/mixer/testdata/{}.json", LAYERBOOST_SOURCE_DIR, GetParam()));
  Json json = read_json(directory / "config.json");
  for (const char* key : {"rope_scaling", "max_position_embeddings"})
    if (expected.contains(key)) json[key] = expected[key];
  const auto model = load_model(directory, Precision::f32);
  model->config.rope = read_hf_config(json.dump(), "", "test").rope;
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  const std::vector<TokenId> ids = expected["ids"];
  for (const int length : {24, 25, 40}) {
    const std::vector<double> right = expected[fmt::format("log_probs_of_{}", length)];
    const auto got = token_log_probs(*model, list, std::span(ids).first(static_cast<std::size_t>(length)), 64);
    ASSERT_EQ(right.size() + 1, got.size());
    for (std::size_t i = 0; i < right.size(); ++i) EXPECT_NEAR(got[i + 1], right[i], 1e-4) << length << " " << i;
  }
  std::vector<TokenId> text;
  if (expected["prompt"].is_array())
    text = expected["prompt"].get<std::vector<TokenId>>();
  else
    text.assign(ids.begin(), ids.begin() + expected["prompt"].get<int>());
  for (const TokenId next : expected["greedy"]) {
    EXPECT_EQ(greedy(*model, list, text, 1).front(), next) << text.size();
    text.push_back(next);
  }
}

INSTANTIATE_TEST_SUITE_P(Rope, LongTextsOfType, testing::Values("longrope", "dynamic"));

/// The hidden states of a long text, read in pieces.
std::vector<float> read(const Model& model, Sequence& sequence, std::span<const TokenId> tokens,
                        std::span<const int> pieces) {
  Runner runner(model);
  std::vector<float> hidden;
  for (const int count : pieces) {
    const auto at = static_cast<std::size_t>(sequence.length());
    const BatchItem item{&sequence, tokens.subspan(at, static_cast<std::size_t>(count))};
    const float* const rows = runner.forward({&item, 1});
    hidden.insert(hidden.end(), rows, rows + count * model.config.hidden);
  }
  return hidden;
}

class LongTextsInPieces : public testing::TestWithParam<const char*> {
 protected:
  static constexpr int longest_short = 40;

  const std::unique_ptr<Model> model_ = with_long_texts(random_model(Precision::f32), longest_short);
  const std::unique_ptr<Model> alone_ = with_long_texts_alone(random_model(Precision::f32));
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  MixerSet mixers_alone_{*alone_, random_parameters(alone_->config)};
  const std::vector<TokenId> tokens_ = random_tokens(90, 96);
  CachePools pools_;
};

TEST_P(LongTextsInPieces, HaveTheRotationsOfTheWholeText) {
  const auto plan = specs({"softmax", GetParam(), "window:16+3", GetParam()});
  Sequence in_pieces(mixers_.list(plan), pools_), right(mixers_alone_.list(plan), pools_);
  in_pieces.set_rotations(model_->config.rope.rotations(90));
  const int pieces[] = {7, 30, 1, 1, 1, 1, 49};
  EXPECT_EQ(read(*model_, in_pieces, tokens_, pieces), read(*alone_, right, tokens_, pieces));

  Sequence at_once(mixers_.list(plan), pools_), right_at_once(mixers_alone_.list(plan), pools_);
  EXPECT_EQ(read(*model_, at_once, tokens_, {{90}}), read(*alone_, right_at_once, tokens_, {{90}}));
  EXPECT_EQ(at_once.rotations(), longest_short);
  Sequence short_one(mixers_.list(plan), pools_);
  EXPECT_NE(read(*model_, short_one, tokens_, {{30}}), read(*alone_, right_at_once, tokens_, {}));
  EXPECT_EQ(short_one.rotations(), 0);
}

TEST_P(LongTextsInPieces, AreFoldedAsTheyWereRead) {
  const auto plan = specs({"softmax", "softmax", "softmax", "softmax"});
  auto folded = plan;
  folded[1] = folded[3] = parse_mixer(GetParam());
  Sequence sequence(mixers_.list(plan), pools_), right(mixers_alone_.list(plan), pools_);
  read(*model_, sequence, tokens_, {{60}});
  read(*alone_, right, tokens_, {{60}});
  const Sequence::PoolsOf pools_of = [this](const Mixer& /*mixer*/) { return &pools_; };
  ASSERT_EQ(sequence.fold(mixers_.list(folded), pools_of), right.fold(mixers_alone_.list(folded), pools_of));
  EXPECT_EQ(sequence.rotations(), longest_short);
  const int pieces[] = {1, 1, 28};
  EXPECT_EQ(read(*model_, sequence, tokens_, pieces), read(*alone_, right, tokens_, pieces));
}

INSTANTIATE_TEST_SUITE_P(Mixers, LongTextsInPieces,
                         testing::Values("softmax", "window:16+3", "hybrid:16+3", "gated:16", "dual_state"));

/// Texts of 90 tokens, whose rotations those of no other length have.
class TextsOfALength : public testing::TestWithParam<const char*> {
 protected:
  static void expect_near(const std::vector<float>& got, const std::vector<float>& right) {
    ASSERT_EQ(got.size(), right.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], right[i], 1e-4) << i;
  }

  const std::unique_ptr<Model> model_ = with_dynamic_rope(random_model(Precision::f32), 40);
  const std::unique_ptr<Model> alone_ = with_dynamic_rope_of(random_model(Precision::f32), 40, 90);
  const int rotations_ = model_->config.rope.rotations(90);
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  MixerSet mixers_alone_{*alone_, random_parameters(alone_->config)};
  const std::vector<TokenId> tokens_ = random_tokens(91, 96);
  CachePools pools_;
};

TEST_P(TextsOfALength, HaveItsRotationsHoweverTheyAreCut) {
  const auto plan = specs({"softmax", GetParam(), "window:16+3", GetParam()});
  Sequence in_pieces(mixers_.list(plan), pools_), at_once(in_pieces), longer(in_pieces);
  Sequence right(mixers_alone_.list(plan), pools_);
  in_pieces.set_rotations(rotations_);
  const int pieces[] = {7, 30, 1, 1, 1, 1, 49};
  const std::vector<float> expected = read(*alone_, right, tokens_, {{90}});
  expect_near(read(*model_, in_pieces, tokens_, pieces), expected);
  expect_near(read(*model_, at_once, tokens_, {{90}}), expected);
  EXPECT_EQ(at_once.rotations(), rotations_);
  std::vector<float> other = read(*model_, longer, tokens_, {{91}});
  other.resize(expected.size());
  EXPECT_NE(other, expected);
}

TEST_P(TextsOfALength, AreFoldedAsTheyWereRead) {
  const auto plan = specs({"softmax", "softmax", "softmax", "softmax"});
  auto folded = plan;
  folded[1] = folded[3] = parse_mixer(GetParam());
  Sequence sequence(mixers_.list(plan), pools_), right(mixers_alone_.list(plan), pools_);
  sequence.set_rotations(rotations_);
  expect_near(read(*model_, sequence, tokens_, {{60}}), read(*alone_, right, tokens_, {{60}}));
  const Sequence::PoolsOf pools_of = [this](const Mixer& /*mixer*/) { return &pools_; };
  ASSERT_EQ(sequence.fold(mixers_.list(folded), pools_of), right.fold(mixers_alone_.list(folded), pools_of));
  const int pieces[] = {1, 1, 28};
  expect_near(read(*model_, sequence, tokens_, pieces), read(*alone_, right, tokens_, pieces));
}

INSTANTIATE_TEST_SUITE_P(Mixers, TextsOfALength,
                         testing::Values("softmax", "window:16+3", "hybrid:16+3", "gated:16", "dual_state"));

// A partner reads first: of a text that is read at once its own runner has found the rotations already.
void expect_rotations_of_a_partner(const Model& long_texts) {
  const Model* const model = &long_texts;
  MixerSet mixers(*model);
  const MixerList& beside = mixers.list(native_specs(model->config));
  MixerList list = beside;
  list.partner = &beside;
  CachePools pools;
  Runner runner(*model);
  const std::vector<TokenId> tokens = random_tokens(60, 96);
  const auto read = [&](Sequence& sequence, std::span<const TokenId> part) {
    const BatchItem first{sequence.partner(), part}, then{&sequence, part};
    runner.forward({&first, 1});
    runner.forward({&then, 1});
  };
  Sequence at_once(list, pools), in_pieces(list, pools);
  read(at_once, tokens);
  in_pieces.set_rotations(model->config.rope.rotations(60));
  read(in_pieces, std::span(tokens).first(30));
  for (const Sequence* const sequence : {&at_once, &in_pieces}) {
    EXPECT_EQ(sequence->rotations(), model->config.rope.rotations(60));
    EXPECT_EQ(sequence->partner()->rotations(), model->config.rope.rotations(60));
  }
}

TEST(LongTexts, APartnerHasTheirRotations) {
  expect_rotations_of_a_partner(*with_long_texts(random_model(Precision::f32), 40));
  expect_rotations_of_a_partner(*with_dynamic_rope(random_model(Precision::f32), 40));
}

// In one step with short texts each is as it would be alone.
void expect_as_alone_in_company(const Model& long_texts) {
  const Model* const model = &long_texts;
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  CachePools pools;
  Runner runner(*model);
  const auto short_tokens = random_tokens(40, 96, 2), long_tokens = random_tokens(41, 96, 3),
             longer_tokens = random_tokens(50, 96, 4);
  const auto hidden_of = [&](std::initializer_list<std::span<const TokenId>> texts) {
    std::vector<Sequence> sequences(texts.size(), Sequence(list, pools));
    std::vector<BatchItem> items;
    int rows = 0;
    for (const std::span<const TokenId> text : texts) {
      items.push_back({&sequences[items.size()], text});
      rows += static_cast<int>(text.size());
    }
    const float* const hidden = runner.forward(items);
    return std::vector<float>(hidden, hidden + rows * model->config.hidden);
  };
  std::vector<float> expected = hidden_of({short_tokens});
  for (const auto& tokens : {long_tokens, longer_tokens}) {
    const std::vector<float> more = hidden_of({tokens});
    expected.insert(expected.end(), more.begin(), more.end());
  }
  const std::vector<float> got = hidden_of({short_tokens, long_tokens, longer_tokens});
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST(LongTexts, InCompanyOfShortOnes) {
  expect_as_alone_in_company(*with_long_texts(random_model(Precision::f32), 40));
  expect_as_alone_in_company(*with_dynamic_rope(random_model(Precision::f32), 40));
}

}  // namespace
}  // namespace layerboost
