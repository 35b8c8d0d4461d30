#include "mixer/parameters.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(Parameters, BeginAsTheWindowAlmostAlone) {
  Config config;
  config.layers = 3;
  config.hidden = 12;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_size = 6;
  EXPECT_EQ(initial_parameters(config, {MixerKind::hybrid}).size(), 2U * 4 * 6 * 3 + 4);
  EXPECT_EQ(initial_parameters(config, {MixerKind::gated}).size(), 2U * 4 * 6 * 3 + 4 * 12 + 4 + 4 * 4 + 4 + 4);
  EXPECT_TRUE(initial_parameters(config, {MixerKind::window}).empty());
}

}  // namespace
}  // namespace layerboost
