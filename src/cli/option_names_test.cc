#include "cli/option_names.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(OptionNames, BecomeTheFlagsThatCommandsHave) {
  CLI::App app;
  CLI::App* const command = app.add_subcommand("plan");
  double kv = 0;
  std::string output;
  command->add_option("--kv", kv);
  command->add_option("-o,--output", output);
  EXPECT_EQ(with_flags("`kv` 1.5: must be from 0 to 1", app), "--kv 1.5: must be from 0 to 1");
  EXPECT_EQ(with_flags("give another `output`, not `kv`", app), "give another -o, not --kv");
  EXPECT_EQ(with_flags("a `stranger` and `kv`", app), "a `stranger` and --kv");
  EXPECT_EQ(with_flags("`a `kv` b`", app), "`a --kv b`");
  for (const char* same : {"", "`", "no marks", "half a `kv", "``"}) EXPECT_EQ(with_flags(same, app), same);
}

}  // namespace
}  // namespace layerboost
