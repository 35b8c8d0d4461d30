// What must hold of every mixer: results don't depend on how a sequence is cut or on what else is in the batch, and
// memory is what is reserved.
#include "mixer/mixers.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Different cuts add the same f32 numbers in another order.
constexpr double rounding = 2e-4;

const std::vector<std::vector<MixerSpec>>& plans() {
  static const std::vector<std::vector<MixerSpec>> all = {
      specs({"softmax", "softmax", "softmax", "softmax"}),
      specs({"window:16+3", "window:5", "window:64+4", "window:1+1"}),
      specs({"softmax", "none", "window:7+2", "map"}),
      specs({"window:100+4", "window:64", "window:70+20", "window:128+1"}),
      specs({"window:16+3/full:0", "window:5/full:1", "window:64+4/full:1", "window:100+70/full:0"}),
      specs({"none", "none", "none", "none"}),
      specs({"hybrid:16+3", "hybrid:5", "hybrid:64+4", "hybrid:200"}),
      specs({"gated:16", "gated:5", "hybrid:1+1", "gated:80"}),
      specs({"dual_state", "softmax", "dual_state", "window:5"})};
  return all;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << what << " token " << i;
}

class Mixers : public testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = random_model(Precision::f32);
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const std::vector<TokenId> tokens_ = random_tokens(150, 96);

  /// Expects the pools to hold just what the mixers said they would.
  void expect_reserved_memory(const MixerList& list) const {
    CachePools pools;
    Sequence sequence(list, pools);
    Runner runner(*model_);
    const BatchItem item{&sequence, tokens_};
    runner.forward({&item, 1});
    std::size_t reserved = 0;
    for (const Mixer* mixer : list) reserved += mixer->cache_bytes(static_cast<int>(tokens_.size()));
    EXPECT_EQ(pools.bytes_in_use(), reserved);
  }
};

TEST_F(Mixers, AnyCutGivesTheSame) {
  for (const auto& plan : plans()) {
    const MixerList& list = mixers_.list(plan);
    const auto whole = token_log_probs(*model_, list, tokens_, 1000);
    for (const int chunk : {1, 2, 7, 64, 149})
      expect_near(token_log_probs(*model_, list, tokens_, chunk), whole, rounding,
                  fmt::format("{} ... chunk {}", to_string(plan[0]), chunk));
  }
}

TEST(MixersOfFourHeads, AnyCutGivesTheSame) {
  const auto model = random_model(Precision::f32, config_of_four_kv_heads());
  const std::vector<TokenId> tokens = random_tokens(150, 96);
  const auto plan = specs({"window:16+3/full:1,2", "window:5/full:0,3", "window:64+4/full:0,1,2", "window:100/full:2"});
  MixerSet mixers(*model);
  const auto whole = token_log_probs(*model, mixers.list(plan), tokens, 1000);
  for (const int chunk : {1, 7, 64, 149})
    expect_near(token_log_probs(*model, mixers.list(plan), tokens, chunk), whole, rounding, fmt::format("{}", chunk));
}

TEST_F(Mixers, AnyCompanyGivesTheSame) {
  // Four sequences under different plans share each step, cut at different places.
  struct Input {
    std::vector<TokenId> tokens;
    const MixerList* list;
    std::vector<int> cuts;
    std::vector<float> last;  // hidden state of the last token
  };
  std::vector<Input> inputs = {{random_tokens(100, 96, 2), &mixers_.list(plans()[0]), {40, 59, 1}, {}},
                               {random_tokens(90, 96, 3), &mixers_.list(plans()[1]), {1, 88, 1}, {}},
                               {random_tokens(70, 96, 4), &mixers_.list(plans()[2]), {30, 30, 10}, {}},
                               {random_tokens(80, 96, 5), &mixers_.list(plans().back()), {9, 70, 1}, {}}};
  const auto D = static_cast<std::size_t>(model_->config.hidden);
  CachePools pools;
  Runner runner(*model_);
  for (Input& input : inputs) {
    Sequence alone(*input.list, pools);
    const BatchItem item{&alone, input.tokens};
    const float* const hidden = runner.forward({&item, 1});
    input.last.assign(hidden + (input.tokens.size() - 1) * D, hidden + input.tokens.size() * D);
  }
  std::vector<Sequence> sequences;
  for (const Input& input : inputs) sequences.emplace_back(*input.list, pools);
  for (std::size_t step = 0; step < 3; ++step) {
    std::vector<BatchItem> items;
    std::vector<std::size_t> ends;
    std::size_t rows = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto begin = static_cast<std::size_t>(sequences[i].length());
      items.push_back(
          {&sequences[i],
           std::span<const TokenId>(inputs[i].tokens).subspan(begin, static_cast<std::size_t>(inputs[i].cuts[step]))});
      rows += items.back().tokens.size();
      ends.push_back(rows);
    }
    const float* const hidden = runner.forward(items);
    for (std::size_t i = 0; step == 2 && i < inputs.size(); ++i)
      for (std::size_t j = 0; j < D; ++j)
        ASSERT_NEAR(hidden[(ends[i] - 1) * D + j], inputs[i].last[j], 2e-3) << "sequence " << i;
  }
}

TEST_F(Mixers, WideWindowIsSoftmax) {
  const auto softmax = token_log_probs(*model_, mixers_.list(plans()[0]), tokens_, 50);
  for (const char* window : {"window:150", "window:200+4", "window:149+1"})
    expect_near(token_log_probs(*model_, mixers_.list(specs({window, window, window, window})), tokens_, 50), softmax,
                rounding, window);
}

TEST_F(Mixers, NarrowWindowIsNotSoftmax) {
  const auto softmax = token_log_probs(*model_, mixers_.list(plans()[0]), tokens_, 50);
  const auto window = token_log_probs(*model_, mixers_.list(plans()[1]), tokens_, 50);
  double largest = 0;
  for (std::size_t i = 0; i < softmax.size(); ++i) largest = std::max(largest, std::fabs(softmax[i] - window[i]));
  EXPECT_GT(largest, 0.05);
}

TEST_F(Mixers, MapIsTheLinearMapOfTheNormalisedInput) {
  const Config& config = model_->config;
  const auto D = static_cast<std::size_t>(config.hidden);
  const std::vector<float> map = random_parameters(config).at({2, MixerKind::map});
  std::vector<float> hidden(3 * D);
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = std::sin(static_cast<float>(i));
  std::vector<float> expected = hidden;
  for (std::size_t r = 0; r < 3; ++r) {
    double square = 0;
    for (std::size_t j = 0; j < D; ++j)
      square += static_cast<double>(hidden[r * D + j]) * static_cast<double>(hidden[r * D + j]);
    const double inverse = 1 / std::sqrt(square / static_cast<double>(D) + static_cast<double>(config.norm_eps));
    for (std::size_t i = 0; i < D; ++i) {
      double sum = static_cast<double>(map[D * D + i]);
      for (std::size_t j = 0; j < D; ++j)
        sum += static_cast<double>(map[i * D + j]) * static_cast<double>(hidden[r * D + j]) * inverse *
               static_cast<double>(model_->weights.layers[2].mixer_norm[j]);
      expected[r * D + i] += static_cast<float>(sum);
    }
  }
  Workspace workspace(model_->rope());
  const MixerSpan span{0, 3, 0, nullptr};
  mixers_.mixer(2, parse_mixer("map")).forward({hidden.data(), {}, {&span, 1}, 3}, workspace);
  for (std::size_t i = 0; i < hidden.size(); ++i) EXPECT_NEAR(hidden[i], expected[i], 1e-4);
}

TEST_F(Mixers, ForksReadOnByThemselves) {
  for (const auto& plan : plans()) {
    const MixerList& list = mixers_.list(plan);
    CachePools pools;
    Runner runner(*model_);
    const auto step = [&](Sequence& sequence, std::span<const TokenId> part) {
      const BatchItem item{&sequence, part};
      const float* const hidden = runner.forward({&item, 1});
      return std::vector<float>(hidden, hidden + part.size() * static_cast<std::size_t>(model_->config.hidden));
    };
    const std::span<const TokenId> all = tokens_;
    Sequence straight(list, pools), stem(list, pools);
    step(straight, all.first(70));
    step(stem, all.first(70));
    const std::size_t before = pools.bytes_in_use();
    Sequence fork = stem;
    EXPECT_EQ(pools.bytes_in_use(), before);
    step(fork, all.subspan(100, 50));  // must not show in the stem
    const auto expected = step(straight, all.subspan(70, 30));
    const auto got = step(stem, all.subspan(70, 30));
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5);
  }
}

TEST_F(Mixers, ReadingOnCopiesWhatIsSaid) {
  const std::span<const TokenId> all = tokens_;
  for (const auto& plan : plans()) {
    const MixerList& list = mixers_.list(plan);
    const auto kept = [&](int length) {
      std::size_t bytes = 0;
      for (const Mixer* mixer : list) bytes += mixer->cache_bytes(length);
      return bytes;
    };
    for (const std::size_t length : {20, 64, 100}) {
      CachePools pools;
      Runner runner(*model_);
      const auto read = [&](Sequence& sequence, std::size_t first, std::size_t count) {
        const BatchItem item{&sequence, all.subspan(first, count)};
        runner.forward({&item, 1});
      };
      const auto to_copy = [&](const Sequence& sequence) {
        std::size_t bytes = 0;
        for (int layer = 0; layer < model_->config.layers; ++layer)
          bytes += list[static_cast<std::size_t>(layer)]->bytes_to_copy(sequence.cache(layer), sequence.length());
        return bytes;
      };
      Sequence stem(list, pools);
      read(stem, 0, length);
      EXPECT_EQ(to_copy(stem), 0U) << "nobody else holds it";
      Sequence fork = stem;
      const std::size_t said = to_copy(fork), before = pools.bytes_in_use();
      read(fork, length, 45);
      const int end = fork.length();
      EXPECT_LE(pools.bytes_in_use() - before, said + kept(end) - kept(static_cast<int>(length)))
          << to_string(plan[0]) << " " << length;
    }
  }
  // Of full heads only the page that is being filled is copied, as of softmax.
  for (const char* mixer : {"softmax", "window:16+3/full:0"}) {
    CachePools pools;
    Sequence stem(mixers_.list(specs({mixer, mixer, mixer, mixer})), pools);
    const BatchItem item{&stem, tokens_};
    Runner(*model_).forward({&item, 1});
    const Sequence fork = stem;
    const Mixer& first = *stem.mixers()[0];
    EXPECT_LT(first.bytes_to_copy(stem.cache(0), 150), first.cache_bytes(150) * 3 / 4) << mixer;
  }
}

TEST_F(Mixers, MemoryIsWhatIsPromised) {
  for (const auto& plan : plans()) expect_reserved_memory(mixers_.list(plan));
  CachePools pools;
  Sequence nothing(mixers_.list(specs({"none", "none", "none", "none"})), pools);
  Runner runner(*model_);
  const BatchItem item{&nothing, tokens_};
  runner.forward({&item, 1});
  EXPECT_EQ(pools.peak_bytes(), 0U);
}

TEST_F(Mixers, FormulaForMemory) {
  const Config& config = model_->config;  // 2 * G d * 2 bytes = 64 a position
  EXPECT_EQ(kv_bytes(config, parse_mixer("softmax"), 100, 2), 6400U);
  EXPECT_EQ(kv_bytes(config, parse_mixer("window:64+4"), 100, 2), 64U * 68);
  EXPECT_EQ(kv_bytes(config, parse_mixer("window:64+4"), 30, 2), 64U * 30);
  EXPECT_EQ(kv_bytes(config, parse_mixer("window:64+4/full:1"), 100, 2), 32U * 68 + 32U * 100);
  // A state: 6 heads of 8 features by 8 + 1 numbers of 4 bytes.
  EXPECT_EQ(kv_bytes(config, parse_mixer("hybrid:64+4"), 68, 2), 64U * 68);
  EXPECT_EQ(kv_bytes(config, parse_mixer("hybrid:64+4"), 100, 2), 64U * 68 + 6 * 8 * 9 * 4);
  EXPECT_EQ(kv_bytes(config, parse_mixer("gated:64"), 30, 2), 64U * 30 + 6 * 8 * 9 * 4);
  EXPECT_EQ(kv_bytes(config, parse_mixer("none"), 100, 2), 0U);
  EXPECT_EQ(kv_bytes(config, parse_mixer("map"), 100, 2), 0U);
}

TEST(KeepsLess, IsAskedOfEachLayersOwnMixer) {
  Config c = test::small_config();
  c.windows = {0, 64, 0, 64};
  c.attention.assign(4, AttentionParts::all);
  c.attention[3] = AttentionParts::norm;
  const auto layers_with = [&](const char* choice) {
    std::vector<int> found;
    for (int layer = 0; layer < 4; ++layer)
      if (keeps_less(c, layer, parse_mixer(choice))) found.push_back(layer);
    return found;
  };
  EXPECT_EQ(layers_with("softmax"), std::vector<int>{});
  EXPECT_EQ(layers_with("window:64"), (std::vector<int>{0, 2}));
  EXPECT_EQ(layers_with("window:60+4"), (std::vector<int>{0, 2}));
  EXPECT_EQ(layers_with("window:63"), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(layers_with("window:16/full:0"), (std::vector<int>{0, 2}));
  EXPECT_EQ(layers_with("window:4096+4"), (std::vector<int>{0, 2}));
  EXPECT_EQ(layers_with("none"), (std::vector<int>{0, 1, 2}));
}

TEST_F(Mixers, Bf16IsCloseToF32) {
  const auto model = random_model(Precision::bf16);
  MixerSet mixers(*model, random_parameters(model->config));
  for (const auto& plan : plans()) {
    const auto exact = token_log_probs(*model_, mixers_.list(plan), tokens_, 50);
    const auto rounded = token_log_probs(*model, mixers.list(plan), tokens_, 50);
    double mean = 0;
    for (std::size_t i = 1; i < exact.size(); ++i)
      mean += std::fabs(exact[i] - rounded[i]) / static_cast<double>(exact.size() - 1);
    EXPECT_LT(mean, 0.05);  // 8 bits of each product's operands, on log-probabilities of about -5
  }
}

TEST_F(Mixers, Int8CachesAreCloseToF32HoweverTheSequenceIsCut) {
  MixerSet mixers(*model_, random_parameters(model_->config), KvType::int8);
  for (const auto& plan : plans()) {
    const auto distance = [](const std::vector<double>& a, const std::vector<double>& b) {
      double sum = 0;
      for (std::size_t i = 1; i < a.size(); ++i) sum += std::fabs(a[i] - b[i]);
      return sum / static_cast<double>(a.size() - 1);
    };
    const auto exact = token_log_probs(*model_, mixers_.list(plan), tokens_, 1000);
    const auto whole = token_log_probs(*model_, mixers.list(plan), tokens_, 1000);
    EXPECT_LT(distance(exact, whole), 0.05) << to_string(plan[0]);
    for (const int chunk : {1, 50}) {
      const auto cut = token_log_probs(*model_, mixers.list(plan), tokens_, chunk);
      // Into the state of hybrid and gated go a chunk's own keys unrounded, but those of earlier chunks as cached.
      EXPECT_LT(distance(cut, whole), 0.03) << to_string(plan[0]) << " ... chunk " << chunk;
    }
  }
}

TEST(MixersOfLargeHeads, AreNotKeptInInt8) {
  Config c = test::small_config();
  c.heads = c.kv_heads = 1;
  c.head_size = 512;
  const auto fitting = random_model(Precision::f32, c);
  MixerSet mixers(*fitting, {}, KvType::int8);
  const std::vector<MixerSpec> own = native_specs(c);
  EXPECT_EQ(token_log_probs(*fitting, mixers.list(own), random_tokens(20, 96), 20).size(), 20U);
  c.head_size = 514;
  const auto larger = random_model(Precision::f32, c);
  MixerSet in_f32(*larger);
  EXPECT_THROW(MixerSet(*larger, {}, KvType::int8), Error);
}

TEST_F(Mixers, Int8CachesTakeWhatTheyPromise) {
  MixerSet mixers(*model_, random_parameters(model_->config), KvType::int8);
  for (const auto& plan : plans()) expect_reserved_memory(mixers.list(plan));
  // A position's key and value: G heads of d numbers, rounded up to 16, and a scale of 2 bytes.
  const auto page = static_cast<std::size_t>(64 * model_->config.kv_heads * 2 * (16 + 2));
  EXPECT_EQ(mixers.mixer(0, parse_mixer("softmax")).cache_bytes(65), 2 * page);
}

TEST_F(Mixers, MapNeedsParameters) {
  MixerSet without(*model_);
  EXPECT_THROW(without.mixer(1, parse_mixer("map")), Error);
}

TEST(MixerSpec, WrittenForm) {
  for (const char* text : {"softmax", "map", "none", "window:64", "window:64+4", "hybrid:64", "hybrid:64+4",
                           "gated:128", "window:64/full:1", "window:64+4/full:0,2,63"})
    EXPECT_EQ(to_string(parse_mixer(text)), text);
  EXPECT_EQ(to_string(parse_mixer("window:64+0")), "window:64");
  for (const char* text : {"",
                           "windows:4",
                           "window:",
                           "window:0",
                           "window:-1",
                           "window:4+",
                           "window:4+x",
                           "window:99999999999",
                           "window:4+2 ",
                           "None",
                           "hybrid",
                           "hybrid:",
                           "hybrid:4+",
                           "gated:4+2",
                           "gated:0",
                           "softmax:4",
                           "none+1",
                           "window:4/full:",
                           "window:4/full:x",
                           "window:4/full:1,",
                           "window:4/full:1,1",
                           "window:4/full:64",
                           "window:4/full:0+4",
                           "window/full:1",
                           "hybrid:4/full:1",
                           "softmax/full:1"})
    EXPECT_THROW(parse_mixer(text), Error) << text;
}

}  // namespace
}  // namespace layerboost
