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

}  // namespace
}  // namespace layerboost
