#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(ServeCommand, AnEmptyKeyIsNotNoKey) {
  const ProgramResult by_flag = run_and_read({"serve", "missing-model", "--api-key", ""});
  EXPECT_EQ(by_flag.code, 2);
  EXPECT_THAT(by_flag.err, HasSubstr("--api-key is empty"));
  ::setenv("LAYERBOOST_API_KEY", "", 1);
  const ProgramResult by_environment = run_and_read({"serve", "missing-model"});
  ::unsetenv("LAYERBOOST_API_KEY");
  EXPECT_EQ(by_environment.code, 2);
  EXPECT_THAT(by_environment.err, HasSubstr("LAYERBOOST_API_KEY is empty"));
}

TEST(ServeCommand, NamesThatWouldFindNothingAreRefused) {
  const auto error = [](std::vector<std::string> names) {
    std::vector<std::string> words = {"serve", "missing-model"};
    for (const std::string& name : names) words.insert(words.end(), {"--name", name});
    const ProgramResult result = run_and_read(words);
    EXPECT_EQ(result.code, 2);
    return result.err;
  };
  EXPECT_THAT(error({""}), HasSubstr("--name is empty"));
  EXPECT_THAT(error({"a", ""}), HasSubstr("--name is empty"));
  EXPECT_THAT(error({"a", "b", "a"}), HasSubstr("--name \"a\" is given twice"));
  EXPECT_THAT(error({"a", "b"}), HasSubstr("missing-model"));
}

TEST(ServeCommand, SitesAreWrittenAsBrowsersDo) {
  for (const char* const site :
       {"chat.example.org", "https://chat.example.org/", "HTTPS://chat.example.org", "https://"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, HasSubstr("isn't a site")) << site;
  for (const char* const site : {"*", "https://chat.example.org:8443", "http://[::1]:3000"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, Not(HasSubstr("isn't a site"))) << site;
}

TEST(ServeCommand, FlagsOfLevelsThatWouldDoNothingAreRefused) {
  const auto error = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"serve", "missing"});
    const ProgramResult result = run_and_read(words);
    EXPECT_NE(result.code, 0);
    return result.err;
  };
  EXPECT_THAT(error({"--levels", "fixed:2", "--caps-by-length"}), HasSubstr("--caps-by-length"));
  EXPECT_THAT(error({"--levels", "per-request", "--ttft", "3"}), HasSubstr("--ttft and --tpot are targets"));
  EXPECT_THAT(error({"--levels", "sometimes"}), HasSubstr("isn't a way to choose levels"));
  EXPECT_THAT(error({"--levels", "auto", "--quality", "0.5"}), HasSubstr("isn't a limit of quality"));
  EXPECT_THAT(error({"--levels", "auto", "--plan", "p.json"}), HasSubstr("--plan: a ladder has its own"));
  EXPECT_THAT(error({"--levels", "auto", "--level", "2"}), HasSubstr("--level"));
  EXPECT_THAT(error({"--levels", "auto"}), HasSubstr("missing"));
}

}  // namespace
}  // namespace layerboost
