#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_tests.h"
#include "layerboost/version.h"

namespace layerboost {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Manual, SaysWhatHelpSays) {
  const ProgramResult page = run_and_read({"manual", "man"});
  EXPECT_EQ(page.code, 0);
  EXPECT_THAT(page.out, StartsWith(".TH LAYERBOOST 1 \"\" \"layerboost " LAYERBOOST_VERSION "\"\n"));
  EXPECT_THAT(page.out, HasSubstr("\n.SS layerboost analyze MODEL \\-o,\\-\\-output FILE [FLAGS]\n"));
  EXPECT_THAT(page.out, HasSubstr("\n.B \\-\\-port N\nPort to listen on; 0: any free one [8080]\n"));
  EXPECT_THAT(page.out, HasSubstr("\n  layerboost pull "));
  EXPECT_THAT(page.out, Not(HasSubstr("layerboost manual")));
  EXPECT_THAT(run_and_read({"--help"}).out, Not(HasSubstr("manual")));
}

TEST(Manual, CompletesEachCommandsFlags) {
  const ProgramResult script = run_and_read({"manual", "bash"});
  EXPECT_EQ(script.code, 0);
  EXPECT_THAT(script.out, HasSubstr("    report) words='--help -h --ladder' ;;\n"));
  EXPECT_THAT(script.out, HasSubstr("words='analyze bench boost"));
  EXPECT_THAT(script.out, Not(HasSubstr("manual)")));
}

TEST(Manual, HasNoOtherForm) { EXPECT_EQ(run_and_read({"manual", "html"}).code, 2); }

}  // namespace
}  // namespace layerboost
