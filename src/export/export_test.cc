#include "export/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "artifact/exported_directory.h"
#include "artifact/healed_for_tests.h"
#include "artifact/merge.h"
#include "artifact/parameters_file.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "export/config.h"
#include "export/tokenizer.h"
#include "export/weights.h"
#include "mixer/architectures_for_tests.h"
#include "model/hf_config.h"
#include "model/safetensors_file.h"
#include "text/tokenizer_json.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Exported : public testing::Test {
 protected:
  void export_it(std::size_t shard_bytes = std::size_t{1} << 30) {
    export_model({*checkpoint_, small_.base, small_.plan, &change_, {}, "sha256:a"}, directory_, shard_bytes);
  }
  [[nodiscard]] Json config_json() const { return read_json(directory_ / "config.json"); }
  [[nodiscard]] std::string message() {
    return test::error_of([&] { export_it(); });
  }

  test::SmallHealed small_;
  const std::unique_ptr<Checkpoint> checkpoint_ = open_checkpoint(small_.base);
  const AdapterChange change_{small_.adapter, small_.config, "sha256:a"};
  const fs::path directory_ = small_.root / "exported";
};

TEST_F(Exported, ComputesWhatTheMergedModelDoes) {
  export_it();
  const auto merged = load_model(open_checkpoint(small_.base), Precision::bf16, nullptr, &change_);
  const auto exported = load_model(directory_, Precision::bf16);
  const Plan plan = read_plan(directory_ / "plan.json", exported->config, exported->hash);
  EXPECT_EQ(plan.specs(), small_.plan.specs());
  MixerSet merged_mixers(*merged), exported_mixers(*exported);
  const auto tokens = random_tokens(60, small_.config.vocab);
  EXPECT_EQ(token_log_probs(*exported, exported_mixers.list(plan.specs()), tokens, 16),
            token_log_probs(*merged, merged_mixers.list(plan.specs()), tokens, 16));
}

TEST_F(Exported, LeavesOutWhatIsNotNeeded) {
  export_it();
  const MappedFile file(directory_ / "model.safetensors");
  const auto tensors = parse_safetensors(file.bytes(), "exported");
  EXPECT_TRUE(tensors.contains("model.layers.1.self_attn.q_proj.weight"));
  EXPECT_FALSE(tensors.contains("model.layers.2.self_attn.q_proj.weight"));
  EXPECT_FALSE(tensors.contains("model.layers.2.input_layernorm.weight"));
  EXPECT_TRUE(tensors.contains("model.layers.2.mlp.up_proj.weight"));
  for (const auto& [name, tensor] : tensors) EXPECT_EQ(tensor.dtype, DType::bf16) << name;
  EXPECT_EQ(parse_safetensors_metadata(file.bytes(), "exported").at("format"), "pt");
}

TEST_F(Exported, DescribesItself) {
  export_it();
  const Json config = config_json();
  EXPECT_EQ(config["model_type"], "layerboost");
  EXPECT_EQ(config["layer_types"].dump(),
            R"(["full_attention","sliding_attention","linear_attention","full_attention"])");
  EXPECT_EQ(config["sliding_window"], 8);
  EXPECT_EQ(config["layerboost"]["version"], 1);
  EXPECT_EQ(config["layerboost"]["mixers"].dump(), R"(["softmax","window:8+2","none","softmax"])");
  EXPECT_EQ(config["layerboost"]["made_from"]["plan"], small_.plan.hash());
  EXPECT_EQ(config["layerboost"]["rope_frequencies"].size(), 4U);
  for (const auto& [kind, place] : config["auto_map"].items()) {
    const auto where = place.get<std::string>();
    const std::string code = read_file(directory_ / (where.substr(0, where.find('.')) + ".py"));
    EXPECT_THAT(code, HasSubstr("class " + where.substr(where.find('.') + 1) + "(")) << kind;
  }
  EXPECT_TRUE(is_exported_directory(directory_));
  EXPECT_FALSE(is_exported_directory(small_.base));
  Json later = config;
  later["layerboost"]["version"] = 3;
  EXPECT_THAT(test::error_of([&] { (void)read_hf_config(later.dump(), "", "folder"); }),
              HasSubstr("\"version\" is 3; this program reads 1 and 2"));
}

TEST_F(Exported, WithFullHeadsIsFullAttentionToTransformers) {
  small_.plan.layers[1].mixer.full = set_of_head(1);
  export_it();
  const Json config = config_json();
  EXPECT_EQ(config["layer_types"][1], "full_attention");
  EXPECT_EQ(config["layerboost"]["mixers"][1], "window:8+2/full:1");
}

TEST_F(Exported, InShards) {
  export_it();
  const std::string whole = open_checkpoint(directory_)->hash();
  export_it(40000);
  EXPECT_FALSE(fs::exists(directory_ / "model.safetensors"));
  const Json index = read_json(directory_ / "model.safetensors.index.json");
  EXPECT_EQ(index["weight_map"]["model.embed_tokens.weight"], index["weight_map"].front());
  EXPECT_NE(index["weight_map"]["model.norm.weight"], index["weight_map"].front());
  EXPECT_EQ(open_checkpoint(directory_)->hash(), whole);
  export_it();
  EXPECT_FALSE(fs::exists(directory_ / "model.safetensors.index.json"));
}

TEST_F(Exported, RefusesOtherDirectoriesAndSources) {
  test::write_small_model(directory_, small_.config);
  EXPECT_THAT(message(), HasSubstr("holds another model"));
  fs::remove_all(directory_);
  export_it();
  const auto exported = open_checkpoint(directory_);
  try {
    export_model({*exported, directory_, small_.plan, nullptr, {}, ""}, small_.root / "twice");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("exported model already"));
  }
}

TEST_F(Exported, TellsItsPlanWithoutPlanJson) {
  Plan plan = small_.plan;
  plan.layers[0].mixer = parse_mixer("hybrid:8+2");
  plan.layers[3].mixer = parse_mixer("map");
  MixerParameters parameters;
  for (const int layer : {0, 3}) {
    const MixerKind kind = plan.layers[static_cast<std::size_t>(layer)].mixer.kind;
    std::vector<float>& values = parameters[{layer, kind}];
    for (std::size_t i = 0; i < parameter_count(small_.config, {kind}); ++i)
      values.push_back(static_cast<float>(i) / 8);
  }
  export_model({*checkpoint_, small_.base, plan, nullptr, named_parameters(small_.config, parameters), ""}, directory_);
  const auto exported = open_checkpoint(directory_);
  const Plan found = exported_plan(*exported);
  EXPECT_EQ(found.specs(), plan.specs());
  EXPECT_EQ(found.model_name, plan.model_name);
  EXPECT_EQ(found.model_hash, exported->hash());
  EXPECT_EQ(exported_parameters(*exported, found), parameters);
  EXPECT_EQ(exported->config().attention,
            (std::vector{AttentionParts::all, AttentionParts::all, AttentionParts::none, AttentionParts::norm}));
}

TEST_F(Exported, MissesATensorOfAnAttentionThatIsThere) {
  export_it();
  std::string weights = read_file(directory_ / "model.safetensors");
  const std::string name = "model.layers.1.self_attn.k_proj.weight";
  weights.replace(weights.find(name), name.size(), "model.layers.1.self_attn.x_proj.weight");
  write_file(directory_ / "model.safetensors", weights);
  EXPECT_THAT(test::error_of([&] { (void)open_checkpoint(directory_); }),
              HasSubstr("missing tensor \"model.layers.1.self_attn.k_proj.weight\""));
}

TEST_F(Exported, HasACard) {
  export_it();
  std::string card = read_file(directory_ / "README.md");
  EXPECT_TRUE(card.starts_with("---\nlibrary_name: transformers\n")) << card;
  EXPECT_THAT(card, AllOf(HasSubstr("in 2 of its 4 layers"), HasSubstr("| softmax | 0, 3 | full attention |"),
                          HasSubstr("| window:8+2 | 1 |"), HasSubstr("| none | 2 |"), HasSubstr("layerboost serve"),
                          HasSubstr("trust_remote_code=True"), HasSubstr("whose licence its files don't say"),
                          Not(HasSubstr("Figures"))));
  EXPECT_FALSE(fs::exists(directory_ / "LICENSE"));
  Plan plan = small_.plan;
  plan.model_name = "a\n# \x1b<b>";
  const Json healing = {{"held_out", "a\nfile"},
                        {"before", {{"perplexity", 13.385}, {"kl", 0.04}}},
                        {"after", {{"perplexity", 12.951}, {"teacher_perplexity", 12.942}, {"kl", "?"}}}};
  export_model({*checkpoint_, small_.base, plan, nullptr, {}, "sha256:a", healing}, directory_);
  card = read_file(directory_ / "README.md");
  EXPECT_THAT(card, AllOf(HasSubstr("# a b, planned and healed by layerboost\n"), HasSubstr("held-out text (a file)"),
                          HasSubstr("| perplexity | 13.38 | 12.95 | 12.94 |"), Not(HasSubstr("| KL"))));
}

TEST_F(Exported, LeavesOthersFiles) {
  write_file(directory_ / "README.md", "mine");
  EXPECT_THAT(test::error_of([&] { export_it(); }), HasSubstr("has a README.md that isn't an exported model's"));
  EXPECT_EQ(read_file(directory_ / "README.md"), "mine");
}

TEST_F(Exported, NamesTheHubsModelThatItIsMadeFrom) {
  const fs::path cached = small_.root / "models--org--name" / "snapshots" / "0123";
  fs::create_directories(cached.parent_path());
  fs::copy(small_.base, cached);
  export_model({*checkpoint_, cached, small_.plan, nullptr, {}, ""}, directory_);
  EXPECT_THAT(read_file(directory_ / "README.md"), HasSubstr("base_model: org/name\n"));
}

TEST_F(Exported, CarriesTheLicenceOfItsBase) {
  write_file(small_.base / "README.md", "---\nlanguage: en\nlicense: \"MIT\"\n---\n# Small\nlicense: gpl\n");
  write_file(small_.base / "LICENSE.txt", "Permission is hereby granted");
  write_file(small_.base / "notice", "By somebody");
  export_it();
  EXPECT_EQ(read_file(directory_ / "LICENSE.txt"), "Permission is hereby granted");
  EXPECT_EQ(read_file(directory_ / "notice"), "By somebody");
  EXPECT_THAT(read_file(directory_ / "README.md"),
              AllOf(HasSubstr("---\nlicense: mit\n"), HasSubstr("whose licence is `mit`: LICENSE.txt, notice.")));
}

TEST_F(Exported, ShipsTheApacheLicenceWhereItIsTheBases) {
  write_file(small_.base / "README.md", "---\nlicense: apache-2.0\n---\n");
  export_it();
  const std::string text = read_file(directory_ / "LICENSE");
  EXPECT_THAT(text, AllOf(HasSubstr("Version 2.0, January 2004"), HasSubstr("END OF TERMS AND CONDITIONS"),
                          Not(HasSubstr("layerboost authors")), Not(HasSubstr("ggml"))));
  write_file(small_.base / "README.md", "---\nlicense: x: [y]\n---\n");
  fs::remove(directory_ / "LICENSE");
  export_it();
  EXPECT_FALSE(fs::exists(directory_ / "LICENSE"));
  EXPECT_THAT(read_file(directory_ / "README.md"), HasSubstr("---\nlicense: other\n"));
}

TEST_F(Exported, RemovedLayersCannotAttend) {
  export_it();
  const auto exported = load_model(directory_, Precision::f32);
  MixerSet mixers(*exported);
  EXPECT_NO_THROW(mixers.list(native_specs(exported->config)));
  try {
    (void)mixers.mixer(2, {MixerKind::softmax, 0, 0});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("layer 2"));
  }
}

TEST_F(Exported, RopeIsKeptWhateverItsScaling) {
  Config config = small_.config;
  config.rope.base = 5000;
  config.rope.scaling = RopeConfig::Scaling::llama3;
  config.rope.factor = 8;
  config.rope.original_positions = 64;
  config.rope.attention_factor = 1.25;
  const ExportSource source{*checkpoint_, small_.base, small_.plan, nullptr, {}, ""};
  const Json json = export_config_json(source, config, Json::object());
  const Config read_back = read_hf_config(json.dump(), "", "test");
  EXPECT_EQ(read_back.arch, "llama");
  EXPECT_EQ(read_back.rope.attention_factor, 1.25);
  EXPECT_EQ(read_back.norm_eps, config.norm_eps);
  const auto expected = config.rope.frequencies(8), found = read_back.rope.frequencies(8);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i] / expected[i], 1, 1e-14);
}

TEST_F(Exported, LongTextsOfLongropeAreLeftOut) {
  const fs::path base = small_.root / "longrope";
  fs::copy(small_.base, base, fs::copy_options::recursive);
  Json json = read_json(base / "config.json");
  json["rope_scaling"] = {{"type", "longrope"},
                          {"short_factor", {1, 1.5, 2, 2.5}},
                          {"long_factor", {2, 3, 5, 7}},
                          {"original_max_position_embeddings", 100}};
  write_json(base / "config.json", json);
  const auto checkpoint = open_checkpoint(base);
  const RopeConfig rope = checkpoint->config().rope;
  Plan plan = small_.plan;
  const Config exported = exported_config({*checkpoint, base, plan, nullptr, {}, ""});
  EXPECT_EQ(exported.max_positions, 100);
  const Json written = export_config_json({*checkpoint, base, plan, nullptr, {}, ""}, exported, Json::object());
  const Config read_back = read_hf_config(written.dump(), "", "test");
  EXPECT_EQ(read_back.max_positions, 100);
  EXPECT_EQ(read_back.rope.rotations(101), 0);
  EXPECT_EQ(read_back.rope.attention_factor, rope.attention_factor);
  const auto expected = rope.frequencies(8), found = read_back.rope.frequencies(8);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i] / expected[i], 1, 1e-14);
  const auto export_plan = [&] { export_model({*checkpoint, base, plan, nullptr, {}, ""}, directory_); };
  export_plan();
  plan.layers[1].mixer = parse_mixer("window:101");
  EXPECT_THAT(test::error_of(export_plan), AllOf(HasSubstr("up to 100 tokens"), HasSubstr("window:101")));
  EXPECT_TRUE(is_exported_directory(directory_));  // as it was
}

TEST_F(Exported, TextsThatRopeAllowsBesideThePositionsAreLeftOut) {
  const fs::path base = small_.root / "dynamic";
  fs::copy(small_.base, base, fs::copy_options::recursive);
  Json json = read_json(base / "config.json");
  json["rope_scaling"] = {{"type", "dynamic"}, {"factor", 4}};
  write_json(base / "config.json", json);
  const auto checkpoint = open_checkpoint(base);
  const Config& config = checkpoint->config();
  EXPECT_GT(config.longest_text(), config.max_positions);
  const ExportSource source{*checkpoint, base, small_.plan, nullptr, {}, ""};
  const Config exported = exported_config(source);
  const Config read_back = read_hf_config(export_config_json(source, exported, Json::object()).dump(), "", "test");
  for (const Config* const one : {&exported, &read_back}) {
    EXPECT_EQ(one->longest_text(), config.max_positions);
    for (const int tokens : {1, config.max_positions + 1}) EXPECT_EQ(one->rope.rotations(tokens), 0);
    const auto expected = config.rope.frequencies(8), found = one->rope.frequencies(8, 1 << 20);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i] / expected[i], 1, 1e-14);
  }
  export_model(source, directory_);
  EXPECT_TRUE(is_exported_directory(directory_));
}

// transformers' save_pretrained() writes only what differs from the defaults of all configs.
TEST_F(Exported, TiedEmbeddingsAreTheDefaultOfASavedConfig) {
  Config config = small_.config;
  const ExportSource source{*checkpoint_, small_.base, small_.plan, nullptr, {}, ""};
  for (const bool tied : {true, false}) {
    config.tied_embeddings = tied;
    Json json = export_config_json(source, config, Json::object());
    if (tied) json.erase("tie_word_embeddings");
    EXPECT_EQ(read_hf_config(json.dump(), "", "test").tied_embeddings, tied);
  }
}

class ExportedArchitecture : public testing::TestWithParam<std::string> {
 protected:
  /// The log-probabilities of a text by the model as it is exported with this plan, in f32.
  std::vector<double> exported(const std::vector<MixerSpec>& specs, std::span<const TokenId> tokens) {
    const auto checkpoint = open_checkpoint(base_);
    Plan plan;
    plan.model_name = "tiny";
    plan.model_hash = checkpoint->hash();
    for (const MixerSpec& spec : specs) plan.layers.push_back({spec, {}});
    MixerParameters used;
    for (const auto& [place, values] : parameters_)
      if (specs[static_cast<std::size_t>(place.first)].kind == place.second) used[place] = values;
    export_model({*checkpoint, base_, plan, nullptr, named_parameters(checkpoint->config(), used), ""}, directory_);
    const auto model = load_model(directory_, Precision::f32);
    EXPECT_EQ(read_plan(directory_ / "plan.json", model->config, model->hash).specs(), specs);
    MixerSet mixers(*model, used);
    return token_log_probs(*model, mixers.list(specs), tokens, static_cast<int>(tokens.size()));
  }

  const fs::path root_ = test::temporary_path("exported-architecture");
  const fs::path base_ = root_ / "base", directory_ = root_ / "exported";
  const Json case_ = test::architecture_case(GetParam());
  MixerParameters parameters_;
};

// Its weights are exact in bf16.
TEST_P(ExportedArchitecture, ComputesWhatTheModelDoes) {
  test::write_architecture(case_, base_);
  const auto model = load_model(base_, Precision::f32);
  const std::vector<TokenId> all = case_["ids"];
  const auto ids = std::span(all).first(20);
  const std::vector<double> right = case_["log_probs_of_20"];
  const auto got = exported(native_specs(model->config), ids);
  for (std::size_t i = 0; i < right.size(); ++i) EXPECT_NEAR(got[i + 1], right[i], 3e-5) << i;
  const bool as_llama =
      std::set<std::string>{"llama", "mistral", "phi3", "qwen2", "qwen3"}.contains(model->config.arch);
  EXPECT_EQ(read_json(directory_ / "config.json")["layerboost"]["version"], as_llama ? 1 : 2);
  const auto& windows = model->config.windows;
  EXPECT_EQ(open_checkpoint(directory_)->config().base_windows,
            std::ranges::count(windows, 0) == std::ssize(windows) ? std::vector<int>{} : windows);

  parameters_ = random_parameters(model->config);
  MixerSet mixers(*model, parameters_);
  for (const auto& names : {std::vector<const char*>{"window:8+2", "none", "map", "softmax"},
                            std::vector<const char*>{"gated:8", "hybrid:8+2", "none", "dual_state"}}) {
    const auto plan = specs(names);
    const auto of_base = token_log_probs(*model, mixers.list(plan), ids, 20), of_exported = exported(plan, ids);
    for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_NEAR(of_exported[i], of_base[i], 3e-5) << i;
  }
  fs::remove_all(root_);
}

INSTANTIATE_TEST_SUITE_P(Tiny, ExportedArchitecture, testing::ValuesIn(test::architecture_names()),
                         test::architecture_in_letters);

// bf16 holds what is added to 1, and not the sum.
TEST(ExportedGguf, GemmasNormsAreRoundedOnce) {
  for (const auto& [name, arch] : {std::pair("gemma2", "gemma2"), std::pair("gemma3_text", "gemma3")}) {
    const fs::path root = test::temporary_path("exported-gemma");
    test::write_architecture(test::architecture_case(name), root / "folder");
    write_file(root / "model.gguf", test::gemma_in_gguf(*open_checkpoint(root / "folder"), arch));
    const auto checkpoint = open_checkpoint(root / "model.gguf");
    const auto base = load_model(root / "model.gguf", Precision::f32);
    Plan plan;
    plan.model_name = "tiny";
    plan.model_hash = checkpoint->hash();
    for (const MixerSpec& spec : native_specs(base->config)) plan.layers.push_back({spec, {}});
    const ExportSource source{*checkpoint, root / "model.gguf", plan, nullptr, {}, ""};
    const Config config = exported_config(source);
    EXPECT_TRUE(config.norms_plus_one);
    export_weights(source, config, root / "exported", std::size_t{1} << 30);
    write_json(root / "exported" / "config.json", export_config_json(source, config, Json::object()));
    const auto exported = load_model(root / "exported", Precision::f32);
    const auto& norms = base->weights.layers[1];
    EXPECT_EQ(exported->weights.layers[1].mixer_norm, norms.mixer_norm) << name;
    EXPECT_EQ(exported->weights.layers[1].mlp_output_norm, norms.mlp_output_norm) << name;
    EXPECT_EQ(exported->weights.final_norm, base->weights.final_norm) << name;
    MixerSet of_base(*base), of_exported(*exported);
    const auto tokens = random_tokens(20, config.vocab);
    const auto right = token_log_probs(*base, of_base.list(plan.specs()), tokens, 20),
               found = token_log_probs(*exported, of_exported.list(plan.specs()), tokens, 20);
    for (std::size_t i = 1; i < right.size(); ++i) EXPECT_NEAR(found[i], right[i], 3e-5) << name << " " << i;
    fs::remove_all(root);
  }
}

TEST(ExportedTokenizer, IsReadBack) {
  TokenizerData data;
  data.tokens = {"a", "b", "ab", "\"\\", "<|end|>", "", "<tool>"};
  data.merges = {"a b"};
  data.added = {{4, "<|end|>", true, false, true}, {6, "<tool>", false, true, false}};
  data.bos = 4;
  for (const char* pre : {"gpt2", "smollm", "llama3", "qwen2"}) {
    data.pre_tokenizer = pre;
    data.nfc = data.pre_tokenizer == "qwen2";
    data.add_bos = data.ignore_merges = data.pre_tokenizer == "llama3";
    const TokenizerData found = parse_tokenizer_json(tokenizer_json(data), R"({"bos_token": "<|end|>"})");
    EXPECT_EQ(found.tokens, data.tokens);
    EXPECT_EQ(found.merges, data.merges);
    EXPECT_EQ(found.pre_tokenizer, data.pre_tokenizer);
    EXPECT_EQ(found.nfc, data.nfc);
    EXPECT_EQ(found.add_bos, data.add_bos);
    EXPECT_EQ(found.ignore_merges, data.ignore_merges);
    ASSERT_EQ(found.added.size(), 2U);
    EXPECT_EQ(found.added[0].content, "<|end|>");
    EXPECT_TRUE(found.added[0].special && found.added[0].rstrip && !found.added[0].lstrip);
    EXPECT_TRUE(!found.added[1].special && found.added[1].lstrip);
  }
}

TEST(ExportedTokenizer, OfScoresIsReadBackAsMerges) {
  TokenizerData data;
  data.tokens = {"<unk>", "<s>", "<0x21>", "▁", "a", "b", "▁a", "ab"};
  data.added = {{.id = 0, .content = "<unk>", .special = true}, {.id = 1, .content = "<s>", .special = true}};
  data.characters = CharacterRules{.scores = {0, 0, 0, -3, -3, -3, -2, -1}, .space = "▁", .leading_spaces = 1};
  data.unknown = 0;
  data.rewriting = {{"", "▁"}, {" ", "▁"}};
  data.bos = 1;
  data.add_bos = true;
  const TokenizerData found = parse_tokenizer_json(tokenizer_json(data), R"({"bos_token": "<s>"})");
  EXPECT_EQ(found.merges, (std::vector<std::string>{"a b", "▁ a"}));
  EXPECT_EQ(found.rewriting, data.rewriting);
  ASSERT_TRUE(found.characters);
  EXPECT_EQ(found.unknown, 0);
  EXPECT_EQ(found.characters->leading_spaces, 1);
  EXPECT_TRUE(found.add_bos);
  const Tokenizer ours(data), exported(found);
  for (const char* text : {"ab a!", "  aab<s>a", "é"}) {
    EXPECT_EQ(exported.encode(text), ours.encode(text)) << text;
    EXPECT_EQ(exported.decode(exported.encode(text)), ours.decode(ours.encode(text))) << text;
  }
}

TEST(ExportedTokenizer, WherePiecesBecomeTokensWithoutMergesAddedOnesStayOutOfTheVocabulary) {
  TokenizerData data;
  data.tokens = {"a", "b", "ab", "bb", "ba"};
  data.pre_tokenizer = "gpt2";
  data.added = {{.id = 2, .content = "ab", .single_word = true, .in_vocabulary = true},
                {.id = 3, .content = "bb", .single_word = true},
                {.id = 4, .content = "ba", .single_word = true}};
  data.ignore_merges = true;
  const Tokenizer ours(data), exported(parse_tokenizer_json(tokenizer_json(data)));
  for (const char* text : {"1ab", "1bb1ba", "ab", "ba"}) EXPECT_EQ(exported.encode(text), ours.encode(text)) << text;
  EXPECT_EQ(ours.encode("1ab"), (std::vector<TokenId>{2}));
  EXPECT_EQ(ours.encode("1bb"), (std::vector<TokenId>{1, 1}));
}

TEST(ExportedTokenizer, KeepsBothChatTemplates) {
  TokenizerData data;
  data.tokens = {"a", "b"};
  data.pre_tokenizer = "gpt2";
  data.chat_template = "{{ messages }}";
  const auto read_back = [&] {
    return parse_tokenizer_json(tokenizer_json(data), tokenizer_config_json(data, Json::object(), 64).dump());
  };
  EXPECT_EQ(read_back().chat_template, data.chat_template);
  EXPECT_EQ(read_back().tool_template, "");
  data.tool_template = "{{ tools }}";
  EXPECT_EQ(read_back().chat_template, data.chat_template);
  EXPECT_EQ(read_back().tool_template, data.tool_template);
}

TEST(ExportedTokenizer, OfTheDefaultModel) {
  LB_SKIP_WITHOUT(default_model_path());
  const auto checkpoint = open_checkpoint(default_model_path());
  const fs::path directory = test::temporary_path("tokenizer");
  const Json tokens = export_tokenizer(*checkpoint, default_model_path(), 64, directory);
  EXPECT_EQ(tokens.dump(), R"({"bos_token_id":1,"eos_token_id":[2,0,4],"pad_token_id":2})");  // 4: <reponame>
  const Tokenizer ours(checkpoint->tokenizer()), exported(read_tokenizer_json(directory.string()));
  const std::string text = "<|im_start|>user\nÜber 1234 naïve cafés, 東京… it's\t\tfine  <|im_end|>";
  EXPECT_EQ(exported.encode(text), ours.encode(text));
  EXPECT_EQ(exported.bos(), ours.bos());
  EXPECT_EQ(exported.eos(), ours.eos());
  EXPECT_EQ(exported.chat_template(), ours.chat_template());
  EXPECT_FALSE(ours.chat_template().empty());
  fs::remove_all(directory);
}

}  // namespace
}  // namespace layerboost
