// For tests: what makes a ladder of a model of three layers in a moment.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "heal/model_for_tests.h"
#include "mixer/descriptor.h"
#include "plan/cost_calibration.h"

namespace layerboost::test {

/// A model that reads the letters a and b, with texts for choosing and for judging.
class LadderFolder : public testing::Test {
 protected:
  explicit LadderFolder(const std::string& name) : folder_(name) {
    text_ = folder_.corpus("text.jsonl", 6, 200);
    other_ = folder_.file("other.txt", std::string(400, 'a') + "bababb" + std::string(300, 'b'));
    know_cost();
  }

  /// Makes up what the machine needs for the model's parts, for measuring it takes longer than most tests.
  void know_cost() const {
    CostModel cost{{1e-4, 1e-5, 0}, {}, folder_.model().config.kv_heads};
    for (const MixerDescriptor* const kind : mixer_descriptors())
      if (kind->cost.name != nullptr) cost.mixers[kind->cost.name] = {1e-5, 1e-6, 1e-9};
    write_cost(cost_key(folder_.model().hash, Precision::bf16), cost);
  }

  [[nodiscard]] std::string path(const char* name) const { return folder_.path(name).string(); }

  /// The words of a short run into the folder "out", with these flags in place of its own.
  [[nodiscard]] std::vector<std::string> ladder_command(const std::vector<std::string>& flags,
                                                        const char* model = "model.gguf") const {
    std::vector<std::string> command = {"ladder", path(model)};
    const std::vector<std::pair<std::string, std::string>> own = {
        {"-o", path("out")}, {"--text", text_},          {"--eval-text", other_},   {"--tokens", "256"},
        {"--length", "64"},  {"--windows", "4"},         {"--window-tokens", "64"}, {"--retrieval", "0"},
        {"--context", "64"}, {"--retrieval-items", "0"}, {"--decode", "2x16"},      {"--threads", "1"}};
    for (const auto& [flag, value] : own)
      if (std::find(flags.begin(), flags.end(), flag) == flags.end()) command.insert(command.end(), {flag, value});
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  }

  /// The words of a short run that heals a plan into a folder.
  [[nodiscard]] std::vector<std::string> heal_command(const std::string& plan, const char* output,
                                                      const char* tokens) const {
    return {"heal",
            path("model.gguf"),
            "--plan",
            plan,
            "-o",
            path(output),
            "--text",
            text_,
            "--tokens",
            tokens,
            "--length",
            "64",
            "--batch",
            "128",
            "--rank",
            "2",
            "--valid-sequences",
            "1",
            "--questions",
            "0",
            "--threads",
            "1"};
  }

  HealFolder folder_;
  std::string text_, other_;
};

}  // namespace layerboost::test
