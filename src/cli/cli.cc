#include "cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/process.h"
#include "base/ranks.h"
#include "base/run_info.h"
#include "cli/commands.h"
#include "cli/option_names.h"
#include "cli/standard_output.h"
#include "layerboost/version.h"

namespace layerboost {
namespace {

void add_commands(CLI::App& app) {
  add_analyze_command(app);
  add_bench_command(app);
  add_boost_command(app);
  add_chat_command(app);
  add_eval_command(app);
  add_export_command(app);
  add_generate_command(app);
  add_heal_command(app);
  add_info_command(app);
  add_ladder_command(app);
  add_manual_command(app);
  add_plan_command(app);
  add_pull_command(app);
  add_report_command(app);
  add_serve_command(app);
}

/// "; see layerboost NAME --help", as a sentence of its own where a suggestion stands before it.
std::string see_help(const CLI::App& app, const std::string& suggestion) {
  const std::string name = app.get_parent() == nullptr ? "" : app.get_name() + " ";
  return fmt::format("{} layerboost {}--help", suggestion.empty() ? "; see" : suggestion + " See", name);
}

[[noreturn]] void refuse_flag(const CLI::App& app, const std::string& word) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  const std::string flag = word.substr(0, word.find('='));
  fail("unknown flag {}{}", flag, see_help(app, did_you_mean(flag, flags)));
}

/// Fails when the first word is neither a subcommand nor a flag: CLI11 alone would name no alternative, or the wrong
/// thing that is missing.
void check_first_word(const CLI::App& app, const std::string& word) {
  if (word.starts_with("-")) {
    if (app.get_option_no_throw(word) == nullptr) refuse_flag(app, word);
    return;
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) == names.end())
    fail("unknown command {}{}", in_quotes(word), see_help(app, did_you_mean(word, names)));
}

/// Fails with CLI11's message as one line that names the help to read. A flag that doesn't exist is named before
/// anything that is wrong or missing because of it.
[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const auto used = app.get_subcommands();
  const CLI::App& command = used.empty() ? app : *used.front();
  for (const std::string& word : command.remaining())
    if (word.starts_with("-")) refuse_flag(command, word);
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  fail("{}{}", message, see_help(command, ""));
}

int parse_and_run(CLI::App& app, int argc, const char* const* argv) {
  app.set_version_flag("--version", "layerboost " LAYERBOOST_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  add_commands(app);
  if (argc < 2) {
    fmt::print("{}", app.help());
    return 0;
  }
  check_first_word(app, argv[1]);
  try {
    app.parse(argc, argv);
    Ranks::leave();
    return 0;
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream text;
    const int code = app.exit(asked, text);
    fmt::print("{}", text.str());
    return code;
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
}

/// Ends with `code` and a message, which several processes under mpirun say only once.
int end_early(const std::string& message, int code) {
  if (Ranks::leave_early(message)) note("{}", message);
  return code;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  prepare_process();
  install_interrupt_handler();
  set_command_line(argc, argv);
  const StandardOutput output;
  CLI::App app(
      "Makes a pretrained language model cheap to serve: measures which layers need softmax attention, gives the "
      "others a window or nothing,\n"
      "and shows what was lost and won.",
      "layerboost");
  const LineRewriting in_flags([&app](const std::string& line) { return with_flags(line, app); });
  try {
    const int code = parse_and_run(app, argc, argv);
    return code == 0 ? StandardOutput::finish() : code;
  } catch (const ToldElsewhere&) {
    return end_early("", 2);
  } catch (const Error& error) {
    return end_early(error.what(), 2);
  } catch (const Interrupted& stop) {
    return end_early(stop.what(), 130);
  } catch (const fs::filesystem_error& error) {
    return end_early(message_of(error), 2);
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) != 0) return StandardOutput::fail(error.code().value());  // fmt::print() throws it
    return end_early(fmt::format("unexpected error: {}", error.what()), 1);
  } catch (const std::bad_alloc&) {
    note("out of memory");
    return 1;
  } catch (const std::exception& error) {
    note("unexpected error: {}", error.what());
    return 1;
  }
}

}  // namespace layerboost
