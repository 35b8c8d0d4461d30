#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

class FileLockTest : public testing::Test {
 protected:
  FileLockTest() { fs::remove_all(directory_); }
  ~FileLockTest() override { fs::remove_all(directory_); }

  const fs::path directory_ = test::temporary_path("file-lock");
};

TEST_F(FileLockTest, OnlyOneHasIt) {
  std::string holder;
  {
    const auto first = FileLock::take(directory_ / "a", holder);
    ASSERT_TRUE(first);
    EXPECT_FALSE(FileLock::take(directory_ / "a", holder));
    EXPECT_NE(holder.find("process " + std::to_string(::getpid())), std::string::npos) << holder;
    EXPECT_TRUE(FileLock::take(directory_ / "b", holder));
  }
  EXPECT_FALSE(fs::exists(directory_ / "a"));
  EXPECT_TRUE(FileLock::take(directory_ / "a", holder));
}

TEST_F(FileLockTest, ADirectoryInUseNamesTheProcess) {
  const FileLock lock = lock_directory(directory_);
  try {
    const FileLock second = lock_directory(directory_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is in use by process"), std::string::npos) << error.what();
  }
}

TEST_F(FileLockTest, GoesWithAKilledHolder) {
  fs::create_directories(directory_);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string holder;
    const auto lock = FileLock::take(directory_ / "a", holder);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(fs::exists(directory_ / "a"));
  std::string holder;
  EXPECT_TRUE(FileLock::take(directory_ / "a", holder));
}

}  // namespace
}  // namespace layerboost
