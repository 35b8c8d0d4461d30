#include "artifact/parameters_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

Config small_config() {
  Config config;
  config.layers = 3;
  config.hidden = 12;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_size = 6;
  return config;
}

/// Numbers that tell where they came from.
MixerParameters some_parameters(const Config& config) {
  MixerParameters parameters;
  for (const auto& [layer, kind] : {std::pair(0, MixerKind::map), std::pair(0, MixerKind::hybrid),
                                    std::pair(1, MixerKind::gated), std::pair(2, MixerKind::hybrid)})
    for (std::size_t i = 0; i < parameter_count(config, {kind}); ++i)
      parameters[{layer, kind}].push_back(static_cast<float>(i) + 1000 * static_cast<float>(layer));
  return parameters;
}

class ParametersFile : public testing::Test {
 protected:
  ~ParametersFile() override { fs::remove(file_); }
  const Config config_ = small_config();
  const fs::path file_ = test::temporary_path("parameters.safetensors");
};

TEST_F(ParametersFile, RoundTrips) {
  const MixerParameters parameters = some_parameters(config_);
  write_parameters(file_, config_, parameters);
  EXPECT_EQ(read_parameters(file_, config_), parameters);
}

TEST_F(ParametersFile, VariantsHaveTheirOwnShapes) {
  for (const char* written : {"dual_state", "dual_state:x", "dual_state:one+norm"}) {
    const MixerSpec spec = parse_mixer(written);
    const std::vector<MixerSpec> specs = {full_attention, spec, full_attention};
    const MixerParameters parameters = {{{1, spec.kind}, initial_parameters(config_, spec)}};
    write_parameters(file_, config_, parameters, specs);
    EXPECT_EQ(read_parameters(file_, config_, specs), parameters) << written;
  }
  EXPECT_THROW(read_parameters(file_, config_), Error) << "of another variant";
}

TEST_F(ParametersFile, IsRefusedWhenDamaged) {
  write_parameters(file_, config_, some_parameters(config_));
  const std::string content = read_file(file_);
  for (const std::size_t size : {std::size_t{3}, std::size_t{8}, std::size_t{100}, content.size() - 4}) {
    write_file(file_, content.substr(0, size));
    EXPECT_THROW(read_parameters(file_, config_), Error) << size;
  }
}

std::string refusal(const Config& config, const std::map<std::string, NamedParameter>& named) {
  return test::error_of([&] { parameters_of(config, named, "FILE"); });
}

TEST_F(ParametersFile, SaysWhatIsWrong) {
  auto named = named_parameters(config_, some_parameters(config_));
  EXPECT_EQ(refusal(config_, named), "no error");
  auto missing = named;
  missing.erase("layers.2.hybrid.window_weight");
  EXPECT_THAT(refusal(config_, missing), testing::HasSubstr("but not layers.2.hybrid.window_weight"));
  auto misshapen = named;
  misshapen["layers.1.gated.gate"].shape = {12, 4};
  EXPECT_EQ(refusal(config_, misshapen), "FILE: tensor layers.1.gated.gate has shape [12, 4]; expected [4, 12]");
  auto unknown = named;
  unknown["layers.3.map.bias"] = named["layers.0.map.bias"];
  EXPECT_THAT(refusal(config_, unknown), testing::HasSubstr("layers.3.map.bias is not a parameter"));
}

}  // namespace
}  // namespace layerboost
