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

TEST(ServeCommand, SitesAreWrittenAsBrowsersDo) {
  for (const char* const site :
       {"chat.example.org", "https://chat.example.org/", "HTTPS://chat.example.org", "https://"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, HasSubstr("isn't a site")) << site;
  for (const char* const site : {"*", "https://chat.example.org:8443", "http://[::1]:3000"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, Not(HasSubstr("isn't a site"))) << site;
}

}  // namespace
}  // namespace layerboost
