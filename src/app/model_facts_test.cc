#include "app/model_facts.h"

#include <gtest/gtest.h>

#include "mixer/mixers.h"

namespace layerboost {
namespace {

Config shape_to_count() {
  Config config;
  config.layers = 3;
  config.hidden = 8;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_size = 2;
  config.ffn = 10;
  config.vocab = 100;
  config.windows = {0, 0, 0};
  config.tied_embeddings = true;
  return config;
}

TEST(ModelFacts, ParametersAreCounted) {
  Config config = shape_to_count();
  ParameterCounts counts = count_parameters(config);
  EXPECT_EQ(counts.attention, 3 * (2 * 8 * 8 + 2 * 8 * 4));  // Wq, Wo; Wk, Wv
  EXPECT_EQ(counts.mlps, 3 * 3 * 8 * 10);
  EXPECT_EQ(counts.embeddings, 100 * 8);
  EXPECT_EQ(counts.all(), counts.attention + counts.mlps + counts.embeddings);
  config.tied_embeddings = false;
  config.attention = {AttentionParts::all, AttentionParts::norm, AttentionParts::none};
  counts = count_parameters(config);
  EXPECT_EQ(counts.attention, 2 * 8 * 8 + 2 * 8 * 4);
  EXPECT_EQ(counts.embeddings, 2 * 100 * 8);
}

TEST(ModelFacts, AnExportedModelIsComparedWithAllOfIt) {
  Config config = shape_to_count();
  config.attention = {AttentionParts::all, AttentionParts::all, AttentionParts::none};
  constexpr int length = 50;
  const double layer = 2.0 * 2 * 2 * 2 * length;  // keys and values; G; d; bytes
  EXPECT_EQ(cache_bytes(config, native_specs(config), length), 2 * layer);
  EXPECT_EQ(cache_bytes(config, unchanged_specs(config), length), 3 * layer);
}

}  // namespace
}  // namespace layerboost
