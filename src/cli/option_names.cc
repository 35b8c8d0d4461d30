#include "cli/option_names.h"

#include <algorithm>

namespace layerboost {
namespace {

/// The flag of this name; empty where no command has it.
std::string flag_of(const std::string& option, const CLI::App& app) {
  const std::string flag = option == "output" ? "-o" : "--" + option;
  const auto has_it = [&](const CLI::App* command) { return command->get_option_no_throw(flag) != nullptr; };
  const auto commands = app.get_subcommands({});
  return std::any_of(commands.begin(), commands.end(), has_it) ? flag : "";
}

}  // namespace

std::string with_flags(const std::string& message, const CLI::App& app) {
  std::string text;
  std::size_t at = 0;
  while (true) {
    const std::size_t open = message.find('`', at);
    const std::size_t close = open == std::string::npos ? open : message.find('`', open + 1);
    if (close == std::string::npos) return text + message.substr(at);
    const std::string flag = flag_of(message.substr(open + 1, close - open - 1), app);
    // What isn't an option may share its second mark with the next one's first.
    const std::size_t end = flag.empty() ? close : close + 1;
    text += flag.empty() ? message.substr(at, end - at) : message.substr(at, open - at) + flag;
    at = end;
  }
}

}  // namespace layerboost
