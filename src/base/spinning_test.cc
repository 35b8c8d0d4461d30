#include "base/spinning.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace layerboost {
namespace {

/// In a program that was started again: what it finds.
const char* const marked = "LAYERBOOST_STARTED_AGAIN";

TEST(Spinning, IsLimitedByStartingAgain) {
  if (std::getenv(marked) != nullptr) {
    ASSERT_STREQ(std::getenv("GOMP_SPINCOUNT"), "2000");
    return;
  }
  const auto start_again = [] {
    ::setenv(marked, "1", 1);
    ::unsetenv("GOMP_SPINCOUNT");
    ::unsetenv("OMP_WAIT_POLICY");
    std::string name = "again", filter = "--gtest_filter=Spinning.IsLimitedByStartingAgain";
    char* argv[] = {name.data(), filter.data(), nullptr};
    limit_spinning(argv);
    std::_Exit(3);
  };
  EXPECT_EXIT(start_again(), testing::ExitedWithCode(0), "");
}

TEST(Spinning, IsLeftAsTheUserSetIt) {
  const auto leave = [](const char* variable) {
    ::unsetenv("GOMP_SPINCOUNT");
    ::unsetenv("OMP_WAIT_POLICY");
    ::setenv(variable, "active", 1);
    limit_spinning(nullptr);
    std::_Exit(4);
  };
  EXPECT_EXIT(leave("GOMP_SPINCOUNT"), testing::ExitedWithCode(4), "");
  EXPECT_EXIT(leave("OMP_WAIT_POLICY"), testing::ExitedWithCode(4), "");
}

}  // namespace
}  // namespace layerboost
