// Where tests write.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

namespace layerboost::test {

/// A path in the system's temporary folder that ends with `name` and that no other process is given: tests run side
/// by side, each in a process of its own. Nothing is there yet; who writes there removes it.
inline std::filesystem::path temporary_path(std::string_view name) {
  return std::filesystem::path(testing::TempDir()) / fmt::format("layerboost-{}-{}", ::getpid(), name);
}

}  // namespace layerboost::test
