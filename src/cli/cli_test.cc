#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/run_for_tests.h"
#include "layerboost/version.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// One line with the program's name first, and nothing else anywhere.
void expect_refused(const ProgramResult& result, const std::string& part) {
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(StartsWith("layerboost: "), HasSubstr(part)));
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
}

TEST(CommandLine, PrintsHelpWhenAlone) {
  const ProgramResult result = run_and_read({});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("pull"), HasSubstr("--version")));
}

TEST(CommandLine, PrintsItsVersion) {
  const ProgramResult result = run_and_read({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "layerboost " LAYERBOOST_VERSION "\n");
}

TEST(CommandLine, SuggestsTheNearestCommand) {
  expect_refused(run_and_read({"pul"}), "unknown command \"pul\"; did you mean \"pull\"? See layerboost --help");
  expect_refused(run_and_read({"evla", "model"}), "did you mean \"eval\"?");
  expect_refused(run_and_read({"help\n"}), "unknown command \"help\\x0a\"; see layerboost --help");
}

TEST(CommandLine, SuggestsTheNearestFlagOfTheCommand) {
  expect_refused(run_and_read({"eval", "model", "--thread", "2"}),
                 "unknown flag --thread; did you mean \"--threads\"? See layerboost eval --help");
  expect_refused(run_and_read({"generate", "--kvv=int8"}), "unknown flag --kvv; did you mean \"--kv\"?");
  expect_refused(run_and_read({"heal", "--paln", "plan.json"}), "unknown flag --paln; did you mean \"--plan\"?");
  expect_refused(run_and_read({"serve", "model", "-port", "1"}), "unknown flag -port; did you mean \"--port\"?");
  expect_refused(run_and_read({"eval", "--threads", "many", "--texts", "a"}), "did you mean \"--text\"?");
  expect_refused(run_and_read({"--versoin"}), "unknown flag --versoin; did you mean \"--version\"?");
}

TEST(CommandLine, NamesTheHelpOfTheCommandWithAWrongFlag) {
  expect_refused(run_and_read({"pull", "org/name", "--nonsense"}), "see layerboost pull --help");
  expect_refused(run_and_read({"--nonsense"}), "unknown flag --nonsense; see layerboost --help");
}

TEST(CommandLine, FlagsThatWouldChangeNothingAreRefused) {
  expect_refused(run_and_read({"bench", "--url", "http://127.0.0.1:9", "--batch", "3"}),
                 "--batch is for a MODEL, not for --url; see layerboost bench --help");
  expect_refused(run_and_read({"bench", "--url", "http://127.0.0.1:9", "--trace", "t.csv", "--prompt", "512"}),
                 "--prompt isn't for --trace; see layerboost bench --help");
  expect_refused(run_and_read({"bench", "--url", "http://127.0.0.1:9", "--turns"}), "--turns");
  expect_refused(run_and_read({"bench", "model", "--trace", "t.csv"}), "--trace");
  expect_refused(run_and_read({"eval", "model", "--passkey", "512", "--context", "64"}), "--context is for --text");
  expect_refused(run_and_read({"eval", "model", "--passkey", "512", "--limit", "4"}),
                 "--limit is for --text and --tasks");
  expect_refused(run_and_read({"analyze", "model", "-o", "a", "--to", "none", "--window", "64"}),
                 "--window is for --to window, hybrid or gated");
  expect_refused(run_and_read({"analyze", "model", "-o", "a", "--tasks", "t.jsonl"}), "--tasks is for --by task");
  expect_refused(run_and_read({"plan", "a.json", "-o", "p", "--text", "x"}), "--text is for --search joint");
  expect_refused(run_and_read({"plan", "a.json", "-o", "p", "--middle", "none"}), "--middle is for --by-removal");
}

TEST(CommandLine, NoSeedIsNegative) {
  for (const char* command : {"analyze", "bench", "chat", "eval", "generate", "heal"})
    expect_refused(run_and_read({command, "model", "--seed", "-1"}), "--seed");
}

TEST(CommandLine, EveryCommandHasHelpWithExamples) {
  std::istringstream help(run_and_read({}).out.substr(run_and_read({}).out.find("Subcommands:")));
  std::string line;
  std::getline(help, line);
  int commands = 0;
  while (std::getline(help, line) && line.starts_with("  ")) {
    const std::string command = line.substr(2, line.find(' ', 2) - 2);
    if (command.empty()) continue;  // the rest of a long description
    const ProgramResult result = run_and_read({command.c_str(), "--help"});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr("Examples:")) << command;
    ++commands;
  }
  EXPECT_GE(commands, 1);
}

}  // namespace
}  // namespace layerboost
