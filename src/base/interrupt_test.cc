#include "base/interrupt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "base/error.h"

namespace layerboost {
namespace {

// Signals stay in the child processes that EXPECT_EXIT starts.

void stop_by_flag(int signal) {
  install_interrupt_handler();
  check_interrupt("must not be thrown yet");
  std::raise(signal);
  if (!interrupted()) std::_Exit(1);
  try {
    check_interrupt("continue with --resume");
  } catch (const Interrupted& stop) {
    std::_Exit(std::string(stop.what()) == "continue with --resume" ? 42 : 2);
  }
}

TEST(InterruptDeathTest, FirstSignalSetsTheFlag) {
  EXPECT_EXIT(stop_by_flag(SIGINT), testing::ExitedWithCode(42), "stopping");
  EXPECT_EXIT(stop_by_flag(SIGTERM), testing::ExitedWithCode(42), "stopping");
}

TEST(InterruptDeathTest, SecondSignalEndsTheProcess) {
  const auto twice = [] {
    install_interrupt_handler();
    std::raise(SIGINT);
    std::raise(SIGINT);
    std::_Exit(0);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace layerboost
