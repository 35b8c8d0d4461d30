#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "artifact/ladder.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"
#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(ReportCommand, WritesALaddersPage) {
  const fs::path dir = test::temporary_path("report-command");
  fs::create_directories(dir);
  Ladder ladder;
  ladder.model_name = "tiny";
  ladder.model_hash = "sha256:1234";
  ladder.level_0.assign(2, parse_mixer("softmax"));
  ladder.rungs = {{1, parse_mixer("window:64+4")}};
  write_ladder(ladder_file(dir), ladder);
  const ProgramResult alone = run_and_read({"report", dir.string()});
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(alone.out, (dir / "report.html").string() + "\n");
  EXPECT_THAT(read_file(dir / "report.html"), HasSubstr("<title>tiny, a ladder</title>"));

  const ProgramResult two = run_and_read({"report", dir.string(), "--ladder", dir.string()});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, HasSubstr("a ladder itself"));
  fs::remove_all(dir);
}

}  // namespace
}  // namespace layerboost
