#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace layerboost {

void add_pull_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("pull", "Fetch a model from a Hugging Face hub");
  command->footer("Examples:\n  layerboost pull HuggingFaceTB/SmolLM2-135M-Instruct");
}

}  // namespace layerboost
