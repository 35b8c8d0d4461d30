#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "base/error_for_tests.h"
#include "base/file_writer.h"
#include "base/memory.h"
#include "base/process.h"

namespace layerboost {
namespace {

using test::error_of;
using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "file_test.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path in(const char* name) const { return folder_ / name; }
  fs::path make_fifo(const char* name) {
    EXPECT_EQ(::mkfifo(in(name).c_str(), 0600), 0);
    return in(name);
  }
  fs::path make_link(const char* name, const fs::path& to) {
    fs::create_symlink(to, in(name));
    return in(name);
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileTest, WhatIsNotARegularFileIsRefusedAtOnce) {
  struct Odd {
    fs::path path;
    const char* part;  // of the error
  };
  const std::vector<Odd> odd = {
      {make_fifo("fifo"), "is not a regular file"},
      {make_link("zero", "/dev/zero"), "is not a regular file"},
      {folder_, "is not a regular file"},
      {make_link("loop", "loop"), "symbolic links"},
      {in("missing"), "No such file"},
      {in(std::string(5000, 'x').c_str()), "too long"},
      {folder_ / std::string("a\0b", 3), "a\\x00b: a name with a zero byte"},
  };
  for (const Odd& file : odd) {
    EXPECT_THAT(error_of([&] { read_file(file.path); }), HasSubstr(file.part)) << file.path;
    EXPECT_THAT(error_of([&] { const MappedFile mapped(file.path); }), HasSubstr(file.part)) << file.path;
  }
}

TEST_F(FileTest, WhatCannotBeOpenedIsThereAllTheSame) {
  EXPECT_FALSE(is_there(in("missing")));
  EXPECT_FALSE(is_there(make_link("dangling", "missing")));
  EXPECT_TRUE(is_there(make_fifo("fifo")));
  EXPECT_TRUE(is_there(make_link("loop", "loop")));
  EXPECT_TRUE(is_there(in(std::string(5000, 'x').c_str())));
}

TEST_F(FileTest, APipeOfAThreadIsReadToItsEndWhereOneMayBe) {
  const fs::path fifo = make_fifo("fifo");
  const std::string text(300'000, 'x');
  std::thread writer([&] { std::ofstream(fifo) << text; });
  EXPECT_EQ(read_file_or_pipe(fifo), text);
  writer.join();
  write_file(in("file"), text);
  EXPECT_EQ(read_file_or_pipe(in("file")), text);
  EXPECT_THAT(error_of([] { read_file_or_pipe("/dev/zero"); }), HasSubstr("is not a regular file"));
}

TEST_F(FileTest, AFileThatMemoryCannotHoldIsNotRead) {
  write_file(in("file"), "x");
  fs::resize_file(in("file"), std::uintmax_t{1} << 43U);  // all but its first byte is a hole
  EXPECT_THAT(error_of([&] { read_file(in("file")); }), HasSubstr("larger than half of the free memory"));
}

TEST_F(FileTest, AMappedFileKnowsThatItWasWrittenTo) {
  write_file(in("file"), "first");
  const MappedFile mapped(in("file"));
  mapped.check_unchanged();
  write_file(in("file"), "other");  // another file of that name
  mapped.check_unchanged();
  EXPECT_EQ(mapped.text(), "first");
  const MappedFile again(in("file"));
  std::ofstream(in("file"), std::ios::in) << "third";
  EXPECT_THAT(error_of([&] { again.check_unchanged(); }), HasSubstr("was changed while it was read"));
}

TEST_F(FileTest, WritingReplacesARegularFileAndWhatALinkLeadsTo) {
  write_file(in("below") / "deep" / "file", "new folders");
  EXPECT_EQ(read_file(in("below") / "deep" / "file"), "new folders");
  write_file(in("target"), "old");
  make_link("second", "target");
  const fs::path link = make_link("first", in("second"));
  write_file(link, "new");
  EXPECT_TRUE(fs::is_symlink(link) && fs::is_symlink(in("second")));
  EXPECT_EQ(read_file(in("target")), "new");
  write_file(make_link("dangling", "made"), "through a link");
  EXPECT_EQ(read_file(in("made")), "through a link");
  EXPECT_THAT(error_of([&] { write_file(make_link("loop", "loop"), "x"); }), HasSubstr("a link that leads to itself"));
  EXPECT_EQ(files(), 7U);  // nothing temporary
}

TEST_F(FileTest, WhatIsNotARegularFileIsWrittenIntoForAThread) {
  write_file("/dev/null", "x");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(error_of([] { write_file("/dev/full", "x"); }), HasSubstr("cannot write /dev/full: No space left"));
  EXPECT_THAT(error_of([&] { write_file(folder_, "x"); }), HasSubstr("Is a directory"));
  const fs::path fifo = make_fifo("fifo");
  std::string read;
  std::thread reader([&] { read = read_file_or_pipe(fifo); });
  write_file(fifo, "through a pipe");
  reader.join();
  EXPECT_EQ(read, "through a pipe");
  EXPECT_TRUE(fs::is_fifo(fifo));

  const Descriptor file(::open(in("file").c_str(), O_WRONLY | O_CREAT, 0600));
  ASSERT_EQ(::write(file.get(), "before ", 7), 7);
  write_file(fmt::format("/dev/fd/{}", file.get()), "behind it");
  write_file(make_link("link", fmt::format("/proc/self/fd/{}", file.get())), ", twice");
  EXPECT_EQ(read_file(in("file")), "before behind it, twice");
}

TEST_F(FileTest, WritingBeyondTheSystemsLimitIsAnError) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{50, limit.rlim_max};
  prepare_process();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of([&] { write_file(in("file"), std::string(1000, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ(files(), 0U);
}

TEST_F(FileTest, WithoutItsEndNothingStays) {
  {
    FileWriter writer(in("file"));
    writer.write(std::string_view("half"));
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(FileTest, ACacheWithoutAHomeIsThisUsersAlone) {
  const char* const home = std::getenv("HOME");
  const std::string kept = home == nullptr ? "" : home;
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const std::string kept_cache = cache == nullptr ? "" : cache;
  ::unsetenv("HOME");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("TMPDIR", folder_.c_str(), 1);
  const fs::path folder = cache_dir();
  EXPECT_EQ(folder.parent_path(), folder_);
  EXPECT_EQ(cache_dir(), folder);
  struct stat info {};
  ASSERT_EQ(::stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ::chmod(folder.c_str(), 0770);
  EXPECT_THAT(error_of([] { cache_dir(); }), HasSubstr("neither HOME nor XDG_CACHE_HOME"));
  fs::remove(folder);
  fs::create_symlink("/", folder);
  EXPECT_THAT(error_of([] { cache_dir(); }), HasSubstr("neither HOME nor XDG_CACHE_HOME"));
  ::unsetenv("TMPDIR");
  if (home != nullptr) ::setenv("HOME", kept.c_str(), 1);
  if (cache != nullptr) ::setenv("XDG_CACHE_HOME", kept_cache.c_str(), 1);
}

TEST_F(FileTest, AMappedFileThatIsCutOffEndsTheProcessWithAMessage) {
  write_file(in("file"), std::string(100'000, 'x'));
  const auto read_beyond = [&] {
    prepare_process();
    const MappedFile mapped(in("file"));
    fs::resize_file(in("file"), 0);
    std::size_t sum = 0;
    for (const char c : mapped.text()) sum += static_cast<unsigned char>(c);
    std::exit(sum > 0 ? 0 : 1);
  };
  EXPECT_EXIT(read_beyond(), testing::ExitedWithCode(2), "layerboost: a file was cut off while it was read");
}

}  // namespace
}  // namespace layerboost
