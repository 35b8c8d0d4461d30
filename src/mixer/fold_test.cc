// A mixer that takes over what another one of its layer has kept goes on as if it had read the sequence itself.
#include <cmath>

#include "kernels/linear_attention.h"
#include "mixer/descriptor.h"
#include "mixer/feature_maps.h"
#include "mixer/mixers.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

constexpr int layers = 4;

class Fold : public testing::TestWithParam<KvType> {
 protected:
  /// All layers are softmax, but the last: what it keeps is then the same, whatever it is, as its inputs are.
  const MixerList& list(const char* last) { return mixers_.list(specs({"softmax", "softmax", "softmax", last})); }

  Sequence read(const char* last, int length) {
    Sequence sequence(list(last), pools_);
    const BatchItem item{&sequence, std::span(tokens_).first(static_cast<std::size_t>(length))};
    runner_.forward({&item, 1});
    return sequence;
  }

  /// `sequence` with its last layer folded into another mixer; nothing where that can't be.
  std::optional<Sequence> folded(const Sequence& sequence, const char* last) {
    Sequence result(list(last), pools_);
    for (int layer = 0; layer + 1 < layers; ++layer) result.cache(layer) = sequence.cache(layer);
    const Mixer &from = *sequence.mixers().back(), &to = *result.mixers().back();
    LayerCache& cache = result.cache(layers - 1);
    if (!to.fold(from, sequence.cache(layers - 1), sequence.length(), cache)) {
      EXPECT_TRUE(cache.blocks.empty());
      return {};
    }
    result.advance(sequence.length());
    return result;
  }

  /// The hidden states of some tokens more, read one by one and then together.
  std::vector<float> goes_on(Sequence sequence) {
    std::vector<float> hidden;
    for (const int count : {1, 1, 30, 1}) {
      const auto first = static_cast<std::size_t>(sequence.length());
      const BatchItem item{&sequence, std::span(tokens_).subspan(first, static_cast<std::size_t>(count))};
      const float* const rows = runner_.forward({&item, 1});
      hidden.insert(hidden.end(), rows, rows + count * model_->config.hidden);
    }
    return hidden;
  }

  /// By how much a cached key or value may be rounded, of its size; the sums in states are in f32.
  static double rounding() {
    return GetParam() == KvType::f32 ? 1e-5 : GetParam() == KvType::bf16 ? 1.0 / 512 : 1.0 / 127;
  }

  /// The difference of two sequences' states in the last layer, of the size of `expected`'s; 0 where there is none yet.
  double state_error(const Sequence& got, const Sequence& expected) {
    const std::size_t floats = static_cast<std::size_t>(model_->config.heads) *
                               linear_state_floats(model_->config.head_size, feature_map_size(model_->config));
    const auto state = [&](const Sequence& sequence) {
      const auto& block = sequence.cache(layers - 1).blocks.front();
      return block == nullptr ? std::vector<float>(floats)
                              : std::vector<float>(reinterpret_cast<const float*>(block.get()),
                                                   reinterpret_cast<const float*>(block.get()) + floats);
    };
    const std::vector<float> a = state(got), b = state(expected);
    double error = 0, size = 0;
    for (std::size_t i = 0; i < floats; ++i) {
      error += std::pow(a[i] - b[i], 2);
      size += std::pow(b[i], 2);
    }
    return error == 0 ? 0 : std::sqrt(error / size);
  }

  // Under f32 keys and values are f32, too, or int8.
  const std::unique_ptr<Model> model_ =
      random_model(GetParam() == KvType::bf16 ? Precision::bf16 : Precision::f32, config_of_four_kv_heads());
  MixerSet mixers_{*model_, random_parameters(model_->config), GetParam()};
  const std::vector<TokenId> tokens_ = random_tokens(300, 96);
  Runner runner_{*model_};
  CachePools pools_;
};

TEST_P(Fold, ToAWindowChangesNoBit) {
  const std::pair<const char*, const char*> folds[] = {{"softmax", "window:16+3"},
                                                       {"softmax", "window:70"},
                                                       {"softmax", "window:128+4"},
                                                       {"window:100+4", "window:64+4"},
                                                       {"window:100+4", "window:7+2"},
                                                       {"window:100+4", "window:64"},
                                                       {"hybrid:100+4", "window:16+3"},
                                                       {"softmax", "none"},
                                                       {"softmax", "softmax"},
                                                       {"softmax", "window:16+3/full:1"},
                                                       {"window:100+4/full:1", "window:7+2"},
                                                       {"softmax", "window:16+3/full:1,2"},
                                                       {"softmax", "window:70/full:0,3"},
                                                       {"window:70+3/full:0,1,3", "window:16+3/full:0,3"},
                                                       {"window:70+3/full:0", "window:16+3/full:0"}};
  for (const auto& [from, to] : folds) {
    for (const int length : {1, 5, 64, 130, 200}) {
      const std::optional<Sequence> taken_over = folded(read(from, length), to);
      ASSERT_TRUE(taken_over) << from << " " << to << " " << length;
      EXPECT_EQ(goes_on(*taken_over), goes_on(read(to, length))) << from << " " << to << " " << length;
    }
  }
}

TEST_P(Fold, TakesTheMemoryThatTheMixerSays) {
  for (const char* to : {"window:16+3", "window:16+3/full:0", "hybrid:16+3", "dual_state", "softmax", "none"}) {
    const Sequence sequence = read("softmax", 150);
    const std::size_t before = pools_.bytes_in_use();
    const std::optional<Sequence> taken_over = folded(sequence, to);
    ASSERT_TRUE(taken_over);
    EXPECT_EQ(pools_.bytes_in_use() - before, taken_over->mixers().back()->cache_bytes(150)) << to;
  }
}

TEST_P(Fold, IsRefusedWhereKeysAreGone) {
  EXPECT_FALSE(folded(read("window:16+3", 100), "softmax"));
  EXPECT_FALSE(folded(read("window:16+3", 100), "window:20+3"));
  EXPECT_FALSE(folded(read("window:16+3", 100), "window:8+4"));
  EXPECT_FALSE(folded(read("window:16+3", 100), "hybrid:20+3"));
  EXPECT_FALSE(folded(read("none", 100), "window:4"));
  EXPECT_FALSE(folded(read("window:16+3/full:1", 100), "softmax"));
  EXPECT_FALSE(folded(read("window:50+3/full:1", 100), "hybrid:16+3"));
  EXPECT_FALSE(folded(read("window:16+3/full:1", 100), "window:16+3/full:0"));
  EXPECT_FALSE(folded(read("softmax", 100), "gated:16"));
  EXPECT_FALSE(descriptor_of(MixerKind::gated).folds({MixerKind::gated}));
  EXPECT_FALSE(folded(read("none", 100), "dual_state"));
  EXPECT_FALSE(folded(read("dual_state", 100), "softmax"));
  EXPECT_TRUE(folded(read("window:16+3", 15), "softmax"));  // all of it is there yet
}

TEST_P(Fold, IsRefusedWhereGatesReadWhatNobodyKeeps) {
  MixerSet untrained(*model_, {}, GetParam());
  const Sequence sequence = read("softmax", 100);
  LayerCache cache{&pools_, {}};
  EXPECT_FALSE(untrained.mixer(layers - 1, parse_mixer("dual_state:x"))
                   .fold(*sequence.mixers().back(), sequence.cache(layers - 1), 100, cache));
  EXPECT_TRUE(cache.blocks.empty());
}

TEST_P(Fold, ToANarrowerHybridTakesItsState) {
  for (const auto& [from, to] : {std::pair{"hybrid:100+4", "hybrid:16+4"},
                                 {"hybrid:100+4", "hybrid:64+2"},
                                 {"hybrid:64", "hybrid:63"},
                                 {"hybrid:200+4", "hybrid:16+4"}}) {
    for (const int length : {10, 64, 101, 150, 230}) {
      const std::optional<Sequence> taken_over = folded(read(from, length), to);
      ASSERT_TRUE(taken_over) << from << " " << to << " " << length;
      EXPECT_LE(state_error(*taken_over, read(to, length)), rounding()) << from << " " << to << " " << length;
    }
  }
  EXPECT_FALSE(folded(read("hybrid:64", 100), "hybrid:65"));
  // Another adapter's features make other sums.
  MixerSet others(*model_, {}, GetParam());
  const Sequence sequence = read("hybrid:64", 100);
  LayerCache cache{&pools_, {}};
  EXPECT_FALSE(others.mixer(layers - 1, parse_mixer("hybrid:16"))
                   .fold(*sequence.mixers().back(), sequence.cache(layers - 1), 100, cache));
  EXPECT_TRUE(cache.blocks.empty());
}

// Sums are made in another order; and but for f32 the state is made of keys that were rounded.
TEST_P(Fold, ToAStateIsThatOfTheSameKeys) {
  // bf16's products have steps of 0.03 at the values of 5 that the hidden states reach; dual_state's reach more.
  const double tolerance = GetParam() == KvType::f32 ? 1e-4 : GetParam() == KvType::int8 ? 2e-2 : 6e-2;
  for (const char* to : {"hybrid:16+3", "hybrid:64", "hybrid:200+1", "dual_state"}) {
    for (const int length : {10, 64, 150, 230}) {
      const std::optional<Sequence> taken_over = folded(read("softmax", length), to);
      ASSERT_TRUE(taken_over);
      const std::vector<float> got = goes_on(*taken_over), expected = goes_on(read(to, length));
      if (std::string_view(to) != "dual_state") {
        EXPECT_LE(state_error(*taken_over, read(to, length)), rounding()) << to << " " << length;
      }
      double size = 5;
      for (const float x : expected) size = std::max(size, std::fabs(static_cast<double>(x)));
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], tolerance * size / 5) << to << " " << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Fold, testing::Values(KvType::f32, KvType::bf16, KvType::int8),
                         [](const auto& type) { return name_of(type.param); });

}  // namespace
}  // namespace layerboost
