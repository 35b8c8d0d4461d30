#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

TEST(FreeMemory, TheLesserOfSystemAndContainer) {
  const fs::path directory = test::temporary_path("free-memory");
  const auto write = [&](const char* name, const char* text) { write_file(directory / name, std::string_view(text)); };
  fs::create_directories(directory);
  EXPECT_EQ(free_memory(directory, directory), std::size_t{1} << 30);
  write("meminfo", "MemTotal:        4000 kB\nMemFree:  7 kB\nMemAvailable:   3000 kB\nBuffers: 1 kB\n");
  EXPECT_EQ(free_memory(directory, directory), 3000U * 1024);
  write("memory.max", "max\n");
  write("memory.current", "1000000\n");
  EXPECT_EQ(free_memory(directory, directory), 3000U * 1024);
  write("memory.max", "3000000\n");
  EXPECT_EQ(free_memory(directory, directory), 2000000U);
  write("memory.current", "4000000\n");
  EXPECT_EQ(free_memory(directory, directory), 0U);
  write("memory.stat", "anon 2500000\nfile 1500000\ninactive_file 1200000\nactive_file 300000\n");
  EXPECT_EQ(free_memory(directory, directory), 200000U);
  fs::remove_all(directory);
}

TEST(ResidentMemory, GrowsWithWhatIsTouched) {
  const std::size_t before = resident_memory();
  const std::vector<char> touched(std::size_t{64} << 20, 1);
  EXPECT_GE(resident_memory(), before + touched.size() / 2);
}

}  // namespace
}  // namespace layerboost
