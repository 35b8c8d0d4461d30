#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/manual.h"

namespace layerboost {

void add_manual_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("manual", "Write the manual page, or completion for bash");
  command->group("");  // for building the program, and left out of --help
  const auto form = std::make_shared<std::string>();
  command->add_option("FORM", *form, "man or bash")->required()->check(CLI::IsMember({"man", "bash"}));
  command->callback([&app, form] { fmt::print("{}", *form == "man" ? manual_page(app) : bash_completion(app)); });
}

}  // namespace layerboost
