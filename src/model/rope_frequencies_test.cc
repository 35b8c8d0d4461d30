#include <gtest/gtest.h>

#include "base/json.h"
#include "model/hf_config.h"

namespace layerboost {
namespace {

Json config_of(const Json& rope, int head_dim) {
  return {{"model_type", "llama"},    {"num_hidden_layers", 1},   {"hidden_size", 256},
          {"num_attention_heads", 2}, {"num_key_value_heads", 1}, {"head_dim", head_dim},
          {"intermediate_size", 8},   {"vocab_size", 8},          {"max_position_embeddings", 131072},
          {"rope_parameters", rope}};
}

void expect_frequencies(const Config& config, int tokens, const Json& references, const std::string& where) {
  const std::vector<double> frequencies = config.rope.frequencies(config.head_size, tokens);
  ASSERT_EQ(frequencies.size(), references.size());
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    EXPECT_NEAR(frequencies[i] / references[i].get<double>(), 1, 5e-6) << where << ", " << tokens << ", pair " << i;
}

void expect_as_transformers(const Json& config, const Json& expected, const std::string& where) {
  const Config c = read_hf_config(config.dump(), "", "test");
  expect_frequencies(c, 1, expected["inv_freq"], where);
  EXPECT_NEAR(c.rope.attention_factor, expected["attention_scaling"].get<double>(), 1e-6) << where;
  if (expected.contains("inv_freq_of")) {
    for (const auto& [tokens, references] : expected["inv_freq_of"].items())
      expect_frequencies(c, std::stoi(tokens), references, where);
    return;
  }
  const bool has_long = expected.contains("long_inv_freq");
  expect_frequencies(c, 4097, expected[has_long ? "long_inv_freq" : "inv_freq"], where);
  EXPECT_EQ(c.rope.rotations(4097), has_long ? 4096 : 0) << where;
  EXPECT_EQ(c.rope.rotations(4096), 0) << where;
}

TEST(RopeFrequencies, AsTransformersInBothForms) {
  const Json cases = read_json(LAYERBOOST_SOURCE_DIR "/src/model/testdata/rope.json");
  ASSERT_EQ(cases.size(), 21U);
  for (const Json& expected : cases) {
    const Json& rope = expected["rope_parameters"];
    Json config = config_of(rope, expected["head_dim"].get<int>());
    if (expected.contains("max_position_embeddings"))
      config["max_position_embeddings"] = expected["max_position_embeddings"];
    expect_as_transformers(config, expected, rope.dump());

    Json scaling = rope;  // the older form
    config.erase("rope_parameters");
    config["rope_theta"] = scaling["rope_theta"];
    scaling["type"] = scaling["rope_type"];
    scaling.erase("rope_type");
    scaling.erase("rope_theta");
    config["rope_scaling"] = scaling["type"] == "default" ? Json() : scaling;
    expect_as_transformers(config, expected, config.dump());
  }
}

TEST(RopeFrequencies, ExplicitDivisors) {
  RopeConfig rope;
  rope.base = 16;
  rope.divisors = {1, 8};
  EXPECT_EQ(rope.frequencies(4), (std::vector<double>{1, 1.0 / 32}));
}

}  // namespace
}  // namespace layerboost
