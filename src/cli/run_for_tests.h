// The program as tests run it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/cli.h"

namespace layerboost {

/// Runs the program with these words behind its name and returns its exit code.
inline int run(const std::vector<std::string>& words) {
  std::vector<const char*> arguments = {"layerboost"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return run_command_line(static_cast<int>(arguments.size()), arguments.data());
}

struct ProgramResult {
  int code;
  std::string out, err;
};

/// Runs as run() does; returns what was printed, too.
inline ProgramResult run_and_read(const std::vector<std::string>& words) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(words);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

}  // namespace layerboost
