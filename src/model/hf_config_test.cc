#include "model/hf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/json.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

/// The config.json of a tiny model of four layers with the fields of `change` put in; null ones are taken out.
Json changed(const std::string& arch, const Json& change) {
  Config c = test::tiny_config(arch, DType::f32);
  c.layers = 4;
  Json json = Json::parse(test::config_json(c));
  for (const auto& [key, value] : change.items()) json[key] = value;
  return json;
}

Config read(const std::string& arch, const Json& change) {
  return read_hf_config(changed(arch, change).dump(), "", "folder");
}

std::string message_of_config(const std::string& config, const std::string& generation = "") {
  const std::string message = test::error_of([&] { (void)read_hf_config(config, generation, "folder"); });
  EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr("folder/")));
  return message;
}

std::string message_of_change(const Json& change) { return message_of_config(changed("llama", change).dump()); }

TEST(HfConfig, Windows) {
  EXPECT_EQ(read("llama", {{"sliding_window", 8}}).windows, std::vector<int>(4, 0));
  EXPECT_EQ(read("mistral", {{"sliding_window", 8}}).windows, std::vector<int>(4, 8));
  EXPECT_EQ(read("mistral", {{"sliding_window", nullptr}}).windows, std::vector<int>(4, 0));
  EXPECT_EQ(read("qwen2", {{"sliding_window", 8}}).windows, std::vector<int>(4, 0));
  EXPECT_EQ(read("qwen2", {{"sliding_window", 8}, {"use_sliding_window", true}, {"max_window_layers", 3}}).windows,
            (std::vector<int>{0, 0, 0, 8}));
  const Json types = {"sliding_attention", "full_attention", "full_attention", "sliding_attention"};
  EXPECT_EQ(read("qwen3", {{"sliding_window", 8}, {"use_sliding_window", true}, {"layer_types", types}}).windows,
            (std::vector<int>{8, 0, 0, 8}));
  EXPECT_THAT(message_of_config(changed("qwen3", {{"layer_types", types}}).dump()),
              HasSubstr("no sliding window is in use"));
  EXPECT_THAT(message_of_config(changed("qwen3", {{"layer_types", Json::array({"full_attention"})}}).dump()),
              HasSubstr("a list of 4"));
}

TEST(HfConfig, Phi3) {
  const Config c =
      read("phi3", {{"sliding_window", 8}, {"rms_norm_eps", nullptr}, {"max_position_embeddings", nullptr}});
  EXPECT_EQ(c.windows, std::vector<int>(4, 8));
  EXPECT_EQ(c.norm_eps, 1e-5F);
  EXPECT_EQ(c.max_positions, 4096);
  EXPECT_EQ(read("phi3", {}).windows, std::vector<int>(4, 0));
  EXPECT_EQ(read("phi3", {{"partial_rotary_factor", 0.5}}).rope.frequencies(4), (std::vector<double>{1, 0}));
  EXPECT_EQ(read("phi3", {{"partial_rotary_factor", 1}}).rope.rotated, 0);
  EXPECT_THAT(message_of_config(changed("phi3", {{"partial_rotary_factor", 1.5}}).dump()),
              HasSubstr("partial_rotary_factor 1.5"));
  EXPECT_THAT(message_of_config(changed("phi3", {{"partial_rotary_factor", 0.75}}).dump()),
              HasSubstr("RoPE on 3 numbers of each head of 4"));
  const Json su = {{"type", "su"}, {"short_factor", {1, 2}}, {"long_factor", {3, 4}}};
  const RopeConfig rope = read("phi3", {{"rope_scaling", su}, {"max_position_embeddings", 8192}}).rope;
  EXPECT_EQ(rope.longest_short, 4096);
  EXPECT_NEAR(rope.attention_factor, std::sqrt(1 + 1.0 / 12), 1e-12);
  for (const char* type : {"linear", "dynamic", "llama3"}) {
    const Json scaling = {{"type", type}, {"factor", 4}, {"low_freq_factor", 1}, {"high_freq_factor", 4}};
    EXPECT_THAT(message_of_config(changed("phi3", {{"rope_scaling", scaling}}).dump()),
                HasSubstr("is not supported for phi3; default and longrope are"));
  }
}

TEST(HfConfig, LayersWithoutRope) {
  EXPECT_TRUE(read("llama", {{"no_rope_layers", {1, 0, 1, 1}}}).rope_layers.empty());
  constexpr auto usual = LayerRope::usual, none = LayerRope::none;
  EXPECT_EQ(read("smollm3", {}).rope_layers, (std::vector{usual, usual, usual, none}));
  EXPECT_EQ(read("smollm3", {{"no_rope_layer_interval", 2}}).rope_layers, (std::vector{usual, none, usual, none}));
  const Json windows = {{"no_rope_layers", {1, 0, 1, 1}}, {"use_sliding_window", true}, {"sliding_window", 8}};
  EXPECT_EQ(read("smollm3", windows).rope_layers, (std::vector{usual, none, usual, usual}));
  EXPECT_EQ(read("smollm3", windows).windows, (std::vector<int>{0, 8, 0, 0}));
  EXPECT_EQ(read("smollm3", {}).rope.base, 2000000);
  Json short_one = changed("smollm3", {{"no_rope_layers", {1, 0, 1}}});
  EXPECT_THAT(message_of_config(short_one.dump()), HasSubstr("\"no_rope_layers\" should be a list of 4 integers"));
  short_one.erase("no_rope_layers");
  short_one.erase("tie_word_embeddings");
  EXPECT_TRUE(read_hf_config(short_one.dump(), "", "folder").tied_embeddings);
  short_one["no_rope_layer_interval"] = 0;
  EXPECT_THAT(message_of_config(short_one.dump()), HasSubstr("\"no_rope_layer_interval\" is 0"));
}

TEST(HfConfig, Multipliers) {
  const Json given = {{"embedding_multiplier", 12},
                      {"residual_multiplier", 0.22},
                      {"attention_multiplier", 0.0625},
                      {"logits_scaling", 8}};
  const Config c = read("granite", given);
  EXPECT_EQ(c.embedding_scale, 12);
  EXPECT_EQ(c.residual_scale, 0.22F);
  EXPECT_EQ(c.score_scale(), 0.0625F);
  EXPECT_EQ(c.logit_scale, 0.125F);
  EXPECT_EQ(read("granite", {}).score_scale(), 1);
  EXPECT_EQ(read("llama", given).score_scale(), 0.5F);
  EXPECT_EQ(read("llama", given).residual_scale, 1);
  EXPECT_THAT(message_of_config(changed("granite", {{"attention_multiplier", 0}}).dump()),
              HasSubstr("\"attention_multiplier\" is 0"));
  EXPECT_THAT(message_of_config(changed("granite", {{"residual_multiplier", -1}}).dump()),
              HasSubstr("is -1; it should be positive"));
}

TEST(HfConfig, Gemma3) {
  const Json old = {{"sliding_window", 8},
                    {"sliding_window_pattern", 2},
                    {"rope_theta", 50000},
                    {"rope_local_base_freq", 5000},
                    {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8}}}};
  const Config c = read("gemma3_text", old);
  EXPECT_EQ(c.windows, (std::vector<int>{8, 0, 8, 0}));
  constexpr auto usual = LayerRope::usual, local = LayerRope::local;
  EXPECT_EQ(c.rope_layers, (std::vector{local, usual, local, usual}));
  EXPECT_EQ(c.rope.base, 50000);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.local_rope.base, 5000);
  EXPECT_EQ(c.local_rope.factor, 1);
  EXPECT_EQ(c.embedding_scale, std::sqrt(32.0F));
  EXPECT_EQ(c.score_scale(), 1 / 16.0F);
  EXPECT_EQ(c.rope_frequencies().size(), 4U);
  const Json parameters = {{"full_attention", {{"rope_type", "linear"}, {"factor", 4}, {"rope_theta", 3}}},
                           {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 7}}}};
  const Config by_kind = read("gemma3_text", {{"rope_parameters", parameters}});
  EXPECT_EQ(by_kind.rope.base, 3);
  EXPECT_EQ(by_kind.rope.factor, 4);
  EXPECT_EQ(by_kind.local_rope.base, 7);
  EXPECT_EQ(by_kind.windows, std::vector<int>(4, 4096));
  EXPECT_EQ(by_kind.rope_layers, std::vector(4, local));
  EXPECT_EQ(by_kind.attention_soft_cap, 0);
  EXPECT_EQ(by_kind.logit_soft_cap, 0);
  const Config with_caps = read("gemma3_text", {{"attn_logit_softcapping", 20}, {"final_logit_softcapping", 30}});
  EXPECT_EQ(with_caps.attention_soft_cap, 0);  // transformers' attention takes no heed of it
  EXPECT_EQ(with_caps.logit_soft_cap, 30);
  for (const Json& none : {Json(), Json(0)}) {
    EXPECT_THAT(message_of_config(changed("gemma3_text", {{"sliding_window", none}}).dump()),
                HasSubstr("layer 0 is of type sliding_attention, but no sliding window is in use"));
    EXPECT_EQ(read("gemma3_text", {{"sliding_window", none}, {"sliding_window_pattern", 1}}).windows,
              std::vector<int>(4, 0));
  }
  EXPECT_EQ(read("gemma3_text", {{"hidden_act", "gelu_pytorch_tanh"}}).gate, Gate::gelu_tanh);
  EXPECT_THAT(message_of_config(changed("gemma3_text", {{"hidden_activation", "gelu"}}).dump()),
              HasSubstr("\"hidden_activation\" \"gelu\""));
  EXPECT_THAT(message_of_config(changed("gemma3_text", {{"query_pre_attn_scalar", 1e300}}).dump()),
              HasSubstr("\"query_pre_attn_scalar\" 1e+300 is too large"));
}

// gemma-3-4b's.
TEST(HfConfig, Gemma3BesideAVisionTower) {
  const Json text = {{"model_type", "gemma3_text"},
                     {"hidden_size", 2560},
                     {"intermediate_size", 10240},
                     {"num_hidden_layers", 34},
                     {"sliding_window", 1024},
                     {"final_logit_softcapping", 30},
                     {"rope_scaling", {{"factor", 8}, {"rope_type", "linear"}}}};
  Json json = {{"model_type", "gemma3"}, {"eos_token_id", {1, 106}}, {"text_config", text}, {"vision_config", nullptr}};
  const Config c = read_hf_config(json.dump(), "", "folder");
  EXPECT_EQ(c.arch, "gemma3");
  EXPECT_EQ((std::vector{c.layers, c.hidden, c.heads, c.kv_heads, c.head_size, c.ffn, c.vocab, c.max_positions}),
            (std::vector{34, 2560, 8, 4, 256, 10240, 262208, 131072}));
  EXPECT_EQ((std::vector(c.windows.begin() + 3, c.windows.begin() + 7)), (std::vector{1024, 1024, 0, 1024}));
  EXPECT_EQ(c.rope.base, 1000000);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.local_rope.base, 10000);
  EXPECT_EQ(c.eos, (std::vector{1, 106}));
  EXPECT_EQ(c.logit_soft_cap, 0);
  EXPECT_TRUE(c.tied_embeddings && c.norms_plus_one && c.qk_norm);
  json["text_config"] = Json::object();
  const Config usual = read_hf_config(json.dump(), "", "folder");
  EXPECT_EQ((std::vector{usual.layers, usual.hidden, usual.heads, usual.ffn}), (std::vector{26, 2304, 8, 9216}));
  json["text_config"]["model_type"] = "llama";
  EXPECT_THAT(message_of_config(json.dump()), HasSubstr("text_config: model type \"llama\" is not supported"));
  json["text_config"] = {{"use_bidirectional_attention", true}};
  EXPECT_THAT(message_of_config(json.dump()), HasSubstr("text_config: attention to what follows"));
  json["text_config"] = {{"is_causal", false}};
  EXPECT_THAT(message_of_config(json.dump()), HasSubstr("text_config: attention to what follows"));
  json.erase("text_config");
  EXPECT_THAT(message_of_config(json.dump()), HasSubstr("\"text_config\" should be a JSON object"));
}

TEST(HfConfig, Gemma2) {
  const Config c = read("gemma2", {{"max_position_embeddings", 8192}, {"sliding_window_pattern", 3}});
  EXPECT_EQ(c.windows, (std::vector<int>{4096, 0, 4096, 0}));
  EXPECT_EQ(c.attention_soft_cap, 50);
  EXPECT_EQ(c.logit_soft_cap, 30);
  EXPECT_EQ(c.score_scale(), 1 / 16.0F);
  EXPECT_TRUE(c.norms_before && c.norms_after && c.norms_plus_one && c.rope_layers.empty() && !c.qk_norm);
  const Config given = read("gemma2", {{"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", 12.5}});
  EXPECT_EQ(given.attention_soft_cap, 0);
  EXPECT_EQ(given.logit_soft_cap, 12.5F);
  EXPECT_EQ(read("llama", {{"final_logit_softcapping", 30}}).logit_soft_cap, 0);
  for (const double cap : {0.0, -1.0})
    EXPECT_THAT(message_of_config(changed("gemma2", {{"final_logit_softcapping", cap}}).dump()),
                HasSubstr("it should be positive"));
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    EXPECT_THAT(message_of_config(changed("gemma2", {{key, 3e38}}).dump()), HasSubstr("at most 1e+30"));
  EXPECT_THAT(message_of_config(changed("gemma2", {{"use_bidirectional_attention", true}}).dump()),
              HasSubstr("is not supported"));
}

// As Gemma3TextConfig.convert_rope_params_to_dict() of transformers 5.24 combines them.
TEST(HfConfig, Gemma3sRopeScalingChangesTheParametersOfFullAttention) {
  const auto read_rope = [](const Json& full, const Json& scaling) {
    const Json parameters = {{"full_attention", full}, {"sliding_attention", {{"rope_theta", 7}}}};
    const Config c = read("gemma3_text", {{"rope_parameters", parameters}, {"rope_scaling", scaling}});
    EXPECT_EQ(c.local_rope.base, 7);
    return c.rope;
  };
  const RopeConfig both =
      read_rope({{"rope_type", "default"}, {"rope_theta", 3}}, {{"rope_type", "linear"}, {"factor", 8}});
  EXPECT_EQ(both.base, 3);
  EXPECT_EQ(both.factor, 8);
  EXPECT_EQ(read_rope({{"rope_type", "linear"}, {"factor", 4}}, {{"factor", 8}}).factor, 8);
  EXPECT_EQ(read_rope({{"rope_type", "linear"}, {"factor", 4}}, nullptr).factor, 4);
  EXPECT_EQ(read_rope(nullptr, {{"rope_type", "linear"}, {"factor", 8}}).factor, 8);
  EXPECT_EQ(read_rope(nullptr, nullptr).base, 1000000);
  const auto message = [](const Json& change) { return message_of_config(changed("gemma3_text", change).dump()); };
  EXPECT_THAT(message({{"rope_parameters", {{"rope_type", "linear"}, {"factor", 8}}}}),
              HasSubstr("\"rope_parameters\" should be per kind of layer"));
  EXPECT_THAT(message({{"rope_scaling", {{"full_attention", {{"rope_type", "linear"}, {"factor", 8}}}}}}),
              HasSubstr("\"rope_scaling\" per kind of layer"));
  const Json longrope = {{"rope_type", "longrope"}, {"short_factor", {1, 2}}, {"long_factor", {3, 4}}};
  const Json dynamic = {{"rope_type", "dynamic"}, {"factor", 2}};
  for (const Json& parameters : {longrope, dynamic})
    EXPECT_THAT(message({{"rope_parameters", {{"sliding_attention", parameters}}}}),
                HasSubstr("longrope or dynamic in layers with a window"));
  EXPECT_GT(
      read_hf_config(changed("gemma3_text", {{"rope_scaling", dynamic}}).dump(), "", "test").rope.rotations(1 << 15),
      0);
}

TEST(HfConfig, SamplingOfTheModelsMakers) {
  const std::string config = changed("llama", {}).dump();
  EXPECT_FALSE(read_hf_config(config, "", "folder").sampling.any());
  EXPECT_FALSE(read_hf_config(config, R"({"do_sample": true, "temperature": null})", "folder").sampling.any());
  const SamplingDefaults sampling =
      read_hf_config(config, R"({"temperature": 0.6, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05})",
                     "folder")
          .sampling;
  EXPECT_EQ(sampling.temperature, 0.6);
  EXPECT_EQ(sampling.top_p, 0.95);
  EXPECT_EQ(sampling.top_k, 20);
  EXPECT_EQ(sampling.min_p, std::nullopt);
  EXPECT_EQ(sampling.repetition_penalty, 1.05);
  EXPECT_THAT(message_of_config(config, R"({"top_p": "a"})"), HasSubstr("generation_config.json: \"top_p\""));
}

TEST(HfConfig, Biases) {
  EXPECT_FALSE(read("llama", {}).qkv_bias);
  const Config llama = read("llama", {{"attention_bias", true}, {"mlp_bias", true}});
  EXPECT_TRUE(llama.qkv_bias && llama.o_bias && llama.mlp_bias);
  const Config qwen2 = read("qwen2", {});
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.o_bias || qwen2.mlp_bias || qwen2.qk_norm);
  EXPECT_TRUE(read("qwen3", {}).qk_norm);
}

TEST(HfConfig, OfAKeyTwiceTheLastCounts) {
  const std::string config = changed("llama", {{"rms_norm_eps", 0.25}}).dump();
  const Config c = read_hf_config(
      config.substr(0, config.size() - 1) + R"(,"rms_norm_eps":0.5,"hidden_act":"gelu","hidden_act":"silu"})",
      R"({"eos_token_id":5,"eos_token_id":6})", "folder");
  EXPECT_EQ(c.norm_eps, 0.5F);
  EXPECT_EQ(c.eos, (std::vector<int>{3, 4, 6}));
}

TEST(HfConfig, NumbersThatAreNotFiniteAreRefusedOnlyWhereTheyAreNeeded) {
  std::string config = changed("llama", {}).dump();
  config.pop_back();
  for (const char* number : {"NaN", "Infinity", "-Infinity"}) {
    const std::string unused = fmt::format(R"("limits":[0.0,{}],"other":{})", number, number);
    EXPECT_EQ(read_hf_config(config + "," + unused + "}", "{" + unused + "}", "folder").layers, 4);
    for (const char* key : {"rms_norm_eps", "rope_theta", "hidden_size", "eos_token_id", "sliding_window"}) {
      std::string text = changed("mistral", {}).dump();
      text.pop_back();
      EXPECT_THAT(message_of_config(fmt::format("{},\"{}\":{}}}", text, key, number)),
                  HasSubstr(fmt::format("\"{}\" should be", key)))
          << number;
    }
    EXPECT_THAT(message_of_config(config + "}", fmt::format("{{\"temperature\":{}}}", number)),
                HasSubstr("\"temperature\" should be a finite number"));
  }
}

TEST(HfConfig, WhatTransformersKnowsByTheType) {
  EXPECT_EQ(read("llama", {{"hidden_act", "swish"}}).layers, 4);
  const auto bare = [](const char* arch) {
    return read(arch, {{"head_dim", nullptr},
                       {"max_position_embeddings", nullptr},
                       {"rms_norm_eps", nullptr},
                       {"sliding_window_pattern", 2}});
  };
  const auto without = [](const char* arch, const char* key) {
    Json json = changed(arch, {{"num_attention_heads", 8}});
    json.erase(key);
    return read_hf_config(json.dump(), "", "folder");
  };
  const Config gemma = bare("gemma3_text");
  EXPECT_EQ(gemma.max_positions, 131072);
  EXPECT_EQ(gemma.norm_eps, 1e-6F);
  EXPECT_EQ(gemma.windows, (std::vector<int>{4096, 0, 4096, 0}));
  EXPECT_EQ(without("gemma3_text", "head_dim").head_size, 256);
  EXPECT_EQ(without("gemma3_text", "num_key_value_heads").kv_heads, 4);
  EXPECT_TRUE(without("gemma3_text", "tie_word_embeddings").tied_embeddings);
  EXPECT_EQ(without("smollm3", "num_key_value_heads").kv_heads, 4);
  EXPECT_EQ(without("granite", "num_key_value_heads").kv_heads, 8);
  EXPECT_EQ(bare("smollm3").max_positions, 32768);
  EXPECT_EQ(bare("olmo2").norm_eps, 1e-5F);
  EXPECT_EQ(bare("olmo2").max_positions, 2048);
  EXPECT_EQ(bare("granite").norm_eps, 1e-6F);
  for (const auto& [arch, positions] :
       {std::pair{"llama", 2048}, std::pair{"qwen2", 32768}, std::pair{"qwen3", 32768}, std::pair{"mistral", 131072}})
    EXPECT_EQ(read(arch, {{"max_position_embeddings", nullptr}}).max_positions, positions) << arch;
}

TEST(HfConfig, OriginalPositionsBesideRopesParametersGoFirst) {
  for (const char* type : {"llama3", "yarn"}) {
    Json rope = {{"rope_type", type}, {"factor", 2}, {"low_freq_factor", 1}, {"high_freq_factor", 4}};
    EXPECT_EQ(read("llama", {{"rope_scaling", rope}}).rope.original_positions, 64) << type;  // all of its positions
    EXPECT_EQ(read("llama", {{"rope_scaling", rope}, {"original_max_position_embeddings", 16}}).rope.original_positions,
              16);
    rope["original_max_position_embeddings"] = 32;
    EXPECT_EQ(read("llama", {{"rope_scaling", rope}}).rope.original_positions, 32);
    EXPECT_EQ(read("llama", {{"rope_scaling", rope}, {"original_max_position_embeddings", 16}}).rope.original_positions,
              16);
  }
}

TEST(HfConfig, RopeScalingGoesBeforeRopeParameters) {
  const Json parameters = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  const RopeConfig both =
      read("llama", {{"rope_parameters", parameters}, {"rope_scaling", {{"type", "linear"}, {"factor", 4}}}}).rope;
  EXPECT_EQ(both.factor, 4);
  EXPECT_EQ(both.base, 10000);
  for (const Json& none : {Json(), Json::object()})
    EXPECT_EQ(read("llama", {{"rope_parameters", parameters}, {"rope_scaling", none}}).rope.base, 1e6);
}

TEST(HfConfig, YarnWithoutAFactorIsWhatThePositionsHaveGrownBy) {
  const Json rope = {{"rope_type", "yarn"}, {"factor", nullptr}, {"original_max_position_embeddings", 16}};
  const RopeConfig read_rope = read("llama", {{"rope_scaling", rope}}).rope;
  EXPECT_EQ(read_rope.factor, 4);
  EXPECT_NEAR(read_rope.attention_factor, 0.1 * std::log(4) + 1, 1e-12);
}

TEST(HfConfig, DynamicRopeChangesWithEachTokenBeyondThePositions) {
  const Config c = read("llama", {{"rope_scaling", {{"type", "dynamic"}, {"factor", 4}}}});
  const RopeConfig& rope = c.rope;
  for (const int tokens : {1, 64}) {
    EXPECT_EQ(rope.frequencies(4, tokens), RopeConfig().frequencies(4));
    EXPECT_EQ(rope.rotations(tokens), 0);
    EXPECT_TRUE(rope.of_several_lengths(rope.rotations(tokens)));
  }
  EXPECT_GT(c.longest_text(), 40000);
  for (const int tokens : {65, 66, c.longest_text()}) {
    EXPECT_NEAR(rope.frequencies(4, tokens)[1] * (4.0 * tokens / 64 - 3), 0.01, 1e-12);
    EXPECT_GT(rope.rotations(tokens), rope.rotations(tokens - 1));
    EXPECT_FALSE(rope.of_several_lengths(rope.rotations(tokens)));
  }
  EXPECT_EQ(read("llama", {}).longest_text(), 64);
  // As transformers 5 does.
  const Json scaling = {{"type", "dynamic"}, {"factor", 4}, {"original_max_position_embeddings", 16}};
  EXPECT_EQ(read("llama", {{"rope_scaling", scaling}}).rope.rotations(64), 0);
  EXPECT_THAT(message_of_change({{"rope_scaling", {{"type", "dynamic"}}}}), HasSubstr("missing \"factor\""));
}

TEST(HfConfig, LongropeHasFactorsOfShortAndOfLongTexts) {
  Json rope = {{"type", "longrope"}, {"short_factor", {1.5, 2}}, {"long_factor", {4, 8}}};
  const Config c = read("llama", {{"rope_scaling", rope}, {"original_max_position_embeddings", 16}});
  EXPECT_EQ(c.max_positions, 64);
  EXPECT_EQ(c.rope.rotations(16), 0);
  EXPECT_EQ(c.rope.rotations(17), 16);
  EXPECT_NEAR(c.rope.frequencies(4)[0], 1 / 1.5, 1e-12);
  EXPECT_NEAR(c.rope.frequencies(4)[1], 0.01 / 2, 1e-12);
  EXPECT_NEAR(c.rope.frequencies(4, 17)[0], 1.0 / 4, 1e-12);
  EXPECT_NEAR(c.rope.frequencies(4, 17)[1], 0.01 / 8, 1e-12);
  EXPECT_NEAR(c.rope.attention_factor, std::sqrt(1 + std::log(4) / std::log(16)), 1e-12);
  rope["factor"] = 2;
  EXPECT_NEAR(read("llama", {{"rope_scaling", rope}, {"original_max_position_embeddings", 16}}).rope.attention_factor,
              std::sqrt(1 + std::log(2) / std::log(16)), 1e-12);
  rope["attention_factor"] = 1.25;
  EXPECT_EQ(read("llama", {{"rope_scaling", rope}}).rope.attention_factor, 1.25);
  EXPECT_EQ(read("llama", {{"rope_scaling", rope}}).max_positions, 64);
  rope["original_max_position_embeddings"] = 0.5;
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("is 0.5; it should be at least 1"));
  rope["original_max_position_embeddings"] = -1e300;
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("is -1e+300; it should be at least 1"));
  rope["original_max_position_embeddings"] = 1e300;
  EXPECT_EQ(read("llama", {{"rope_scaling", rope}}).rope.rotations(1 << 24), 0);
  rope["short_factor"] = {1, "a"};
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("\"short_factor\" should be a list of numbers"));
  rope["short_factor"] = {1, 2, 3};
  rope["original_max_position_embeddings"] = 16;
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("3 RoPE frequency divisors for heads of 4"));
  rope["short_factor"] = {1, 2};
  rope["long_factor"] = {1, -2};
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("frequency divisor is -2"));
  rope.erase("long_factor");
  EXPECT_THAT(message_of_change({{"rope_scaling", rope}}), HasSubstr("\"long_factor\" should be a list of numbers"));
}

TEST(HfConfig, HeadSizeAndHeadsByDefault) {
  const Config c = read("llama", {{"head_dim", nullptr}, {"num_key_value_heads", nullptr}});
  EXPECT_EQ(c.head_size, 16);
  EXPECT_EQ(c.kv_heads, 2);
}

TEST(HfConfig, EndTokensOfBothFiles) {
  EXPECT_EQ(read("llama", {{"eos_token_id", 7}}).eos, std::vector<int>{7});
  EXPECT_EQ(read("llama", {{"eos_token_id", nullptr}}).eos, std::vector<int>{});
  const std::string config = changed("llama", {{"eos_token_id", 7}}).dump();
  EXPECT_EQ(read_hf_config(config, R"({"eos_token_id":[8,7]})", "folder").eos, (std::vector<int>{7, 8}));
  EXPECT_THAT(message_of_config(config, "{"), HasSubstr("folder/generation_config.json: not valid JSON at byte 2"));
}

TEST(HfConfig, RefusesWhatItCannotCompute) {
  EXPECT_THAT(
      message_of_change({{"model_type", "gpt_neox"}}),
      HasSubstr("\"gpt_neox\" is not supported; gemma2, gemma3, gemma3_text, granite, llama, mistral, olmo2, phi3, "
                "qwen2, qwen3 and smollm3 are"));
  EXPECT_THAT(message_of_change({{"hidden_act", "gelu"}}), HasSubstr("silu"));
  EXPECT_THAT(message_of_change({{"quantization_config", Json::object()}}), HasSubstr("quantised safetensors"));
  EXPECT_EQ(read("qwen3", {{"is_causal", true}}).layers, 4);
  for (const char* arch : {"llama", "qwen2", "gemma3_text"})
    EXPECT_THAT(message_of_config(changed(arch, {{"is_causal", false}}).dump()),
                HasSubstr("attention to what follows (\"is_causal\": false) is not supported"));
  EXPECT_THAT(message_of_change({{"rope_scaling", {{"rope_type", "su"}, {"factor", 2}}}}),
              HasSubstr("\"su\" is not supported"));
  EXPECT_THAT(message_of_change({{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor 0.5"));
  EXPECT_THAT(message_of_change({{"rope_parameters", {{"full_attention", Json::object()}}}}),
              HasSubstr("per kind of layer"));
}

TEST(HfConfig, RefusesWrongValues) {
  EXPECT_THAT(message_of_config("[]"), HasSubstr("should be a JSON object"));
  EXPECT_THAT(message_of_config("{\"model_type\":"), HasSubstr("not valid JSON"));
  EXPECT_THAT(message_of_config("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(message_of_change({{"vocab_size", nullptr}}), HasSubstr("missing \"vocab_size\""));
  EXPECT_THAT(message_of_change({{"hidden_size", -1}}),
              HasSubstr("\"hidden_size\" should be an integer of 0 to 2^31-1"));
  EXPECT_THAT(message_of_change({{"hidden_size", 4294967360}}), HasSubstr("\"hidden_size\" should be"));
  EXPECT_THAT(message_of_change({{"hidden_size", 32.5}}), HasSubstr("\"hidden_size\" should be"));
  EXPECT_THAT(message_of_change({{"num_hidden_layers", 2000000000}}), HasSubstr("it should be 1 to 4096"));
  EXPECT_THAT(message_of_change({{"num_attention_heads", 0}}), HasSubstr("\"num_attention_heads\" is 0"));
  EXPECT_THAT(message_of_change({{"num_key_value_heads", 3}}),
              HasSubstr("2 query heads are not a multiple of 3 KV heads"));
  EXPECT_THAT(message_of_change({{"head_dim", 3}}), HasSubstr("head size 3 is odd"));
  EXPECT_THAT(message_of_change({{"intermediate_size", 2000000000}}), HasSubstr("FFN size"));
  EXPECT_THAT(message_of_change({{"hidden_size", 1 << 24}, {"vocab_size", 1 << 24}}), HasSubstr("more than 2^40"));
  EXPECT_THAT(message_of_change({{"rope_theta", 0}}), HasSubstr("RoPE's base is 0; it should be positive"));
  EXPECT_THAT(message_of_change({{"rms_norm_eps", "small"}}), HasSubstr("\"rms_norm_eps\" should be a finite number"));
  EXPECT_THAT(message_of_change({{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}}}}),
              HasSubstr("missing \"low_freq_factor\""));
  EXPECT_THAT(message_of_change({{"eos_token_id", "end"}}), HasSubstr("\"eos_token_id\" should be"));
}

}  // namespace
}  // namespace layerboost
