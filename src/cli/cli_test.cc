#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct Result {
  int code;
  std::string out, err;
};

Result run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "layerboost");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_command_line(static_cast<int>(arguments.size()), arguments.data());
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

/// One line with the program's name first, and nothing else anywhere.
void expect_refused(const Result& result, const std::string& part) {
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(StartsWith("layerboost: "), HasSubstr(part)));
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
}

TEST(CommandLine, PrintsHelpWhenAlone) {
  const Result result = run({});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("pull"), HasSubstr("--version")));
}

TEST(CommandLine, PrintsItsVersion) {
  const Result result = run({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "layerboost " LAYERBOOST_VERSION "\n");
}

TEST(CommandLine, SuggestsTheNearestCommand) { expect_refused(run({"pul"}), "did you mean \"pull\"?"); }

TEST(CommandLine, NamesTheHelpOfTheCommandWithAWrongFlag) {
  expect_refused(run({"pull", "org/name", "--nonsense"}), "see layerboost pull --help");
  expect_refused(run({"--nonsense"}), "unknown flag --nonsense; see layerboost --help");
}

TEST(CommandLine, NoSeedIsNegative) {
  for (const char* command : {"analyze", "bench", "chat", "eval", "generate", "heal"})
    expect_refused(run({command, "model", "--seed", "-1"}), "--seed");
}

TEST(CommandLine, EveryCommandHasHelpWithExamples) {
  std::istringstream help(run({}).out.substr(run({}).out.find("Subcommands:")));
  std::string line;
  std::getline(help, line);
  int commands = 0;
  while (std::getline(help, line) && line.starts_with("  ")) {
    const std::string command = line.substr(2, line.find(' ', 2) - 2);
    if (command.empty()) continue;  // the rest of a long description
    const Result result = run({command.c_str(), "--help"});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr("Examples:")) << command;
    ++commands;
  }
  EXPECT_GE(commands, 1);
}

}  // namespace
}  // namespace layerboost
