#include "app/model_facts.h"

#include <gtest/gtest.h>

#include "mixer/mixers.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

TEST(ModelFacts, ParametersAreCounted) {
  Config config = test::small_config();  // L 4, D 48, H 6, G 2, d 8, F 64, V 96
  config.tied_embeddings = true;
  ParameterCounts counts = count_parameters(config);
  EXPECT_EQ(counts.attention, 4 * (2 * 48 * 48 + 2 * 48 * 16));  // Wq, Wo; Wk, Wv
  EXPECT_EQ(counts.mlps, 4 * 3 * 48 * 64);
  EXPECT_EQ(counts.embeddings, 96 * 48);
  EXPECT_EQ(counts.all(), counts.attention + counts.mlps + counts.embeddings);
  config.tied_embeddings = false;
  config.attention = {AttentionParts::all, AttentionParts::norm, AttentionParts::none, AttentionParts::none};
  counts = count_parameters(config);
  EXPECT_EQ(counts.attention, 2 * 48 * 48 + 2 * 48 * 16);
  EXPECT_EQ(counts.embeddings, 2 * 96 * 48);
}

TEST(ModelFacts, AnExportedModelIsComparedWithAllOfIt) {
  Config config = test::small_config();
  config.attention = {AttentionParts::all, AttentionParts::all, AttentionParts::all, AttentionParts::none};
  constexpr int length = 50;
  const double layer = 2.0 * 2 * 8 * 2 * length;  // keys and values; G; d; bytes
  EXPECT_EQ(cache_bytes(config, native_specs(config), length), 3 * layer);
  EXPECT_EQ(cache_bytes(config, unchanged_specs(config), length), 4 * layer);
}

TEST(ModelFacts, AnExportedModelIsComparedWithTheWindowsOfItsBase) {
  Config config = test::small_config();
  config.attention.assign(4, AttentionParts::all);
  config.base_windows = {10, 0, 10, 0};
  const MixerSpec window = {MixerKind::window, 10, 0};
  EXPECT_EQ(unchanged_specs(config), (std::vector<MixerSpec>{window, full_attention, window, full_attention}));
  EXPECT_TRUE(own_windows(config, 50).layers.empty());  // by its plan
}

TEST(ModelFacts, WindowsOfTheModelsOwn) {
  Config config = test::small_config();  // 4 layers
  EXPECT_TRUE(own_windows(config, 100).layers.empty());
  config.windows = {10, 0, 10, 10};
  const OwnWindows some = own_windows(config, 90);
  EXPECT_EQ(some.layers, (std::vector<int>{0, 2, 3}));
  EXPECT_NEAR(some.others, 90.0 / (90 + 3 * 10), 1e-9);
  EXPECT_EQ(some.text(4),
            "10 in 3 of 4 layers (0, 2-3), the model's own; left to gain: the others, 75.0 % of keys and values");
  EXPECT_NEAR(own_windows(config, 10).others, 0.25, 1e-9);
  config.windows = {10, 10, 10, 10};
  EXPECT_EQ(own_windows(config, 90).others, 0);
  EXPECT_EQ(own_windows(config, 90).text(4), "10 in 4 of 4 layers (0-3), the model's own");
}

}  // namespace
}  // namespace layerboost
