#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/pull.h"
#include "cli/commands.h"

namespace layerboost {

void add_pull_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("pull", "Fetch a model from a Hugging Face hub");
  const auto options = std::make_shared<PullOptions>();
  command->add_option("MODEL", options->model, "The model's name on the hub, ORG/NAME")->required()->type_name("");
  command->add_option("-o,--output", options->directory, "Where to put it; default: the cache, where ORG/NAME finds it")
      ->type_name("DIR");
  command->add_option("--revision", options->revision, "Branch, tag or commit")
      ->type_name("REV")
      ->capture_default_str();
  command->add_option("--gguf", options->gguf, "Fetch the GGUF files that match instead of safetensors")
      ->type_name("PATTERN");
  command->footer(
      "Prints the model's directory. Goes on where an earlier call stopped; sizes and hashes are checked.\n"
      "Environment: HF_TOKEN (for models that need permission; default: the token of huggingface-cli login, where\n"
      "HF_TOKEN_PATH or HF_HOME say), HF_ENDPOINT (another hub or mirror).\n\n"
      "Examples:\n"
      "  layerboost pull HuggingFaceTB/SmolLM2-135M-Instruct\n"
      "  layerboost pull bartowski/SmolLM2-135M-Instruct-GGUF --gguf '*Q8_0.gguf' -o models/smollm2");
  command->callback([options] { fmt::print("{}\n", pull_model(*options).string()); });
}

}  // namespace layerboost
