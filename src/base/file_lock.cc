#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/run_info.h"

namespace layerboost {
namespace {

/// Whether `descriptor` is still the file that `path` names: its last holder may have removed it meanwhile.
bool is_named(int descriptor, const std::filesystem::path& path) {
  struct stat open_file {
  }, named{};
  return ::fstat(descriptor, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/// What the holder wrote into the file about itself.
std::string read_holder(int descriptor) {
  char text[256];
  const ssize_t n = ::pread(descriptor, text, sizeof text, 0);
  if (n <= 0) return "another process";
  std::string holder = in_quotes({text, static_cast<std::size_t>(n)});
  return holder.substr(1, holder.size() - 2);
}

}  // namespace

std::optional<FileLock> FileLock::take(const std::filesystem::path& path, std::string& holder) {
  if (path.has_parent_path()) {
    std::error_code ignored;  // what matters shows when the file is made
    std::filesystem::create_directories(path.parent_path(), ignored);
  }
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    if (descriptor < 0) fail("cannot write {}: {}", path.string(), std::strerror(errno));
    FileLock lock(path, descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail("cannot lock {}: {}", path.string(), std::strerror(errno));
      holder = read_holder(descriptor);
      ::close(std::exchange(lock.descriptor_, -1));
      return std::nullopt;
    }
    if (!is_named(descriptor, path)) {
      ::close(std::exchange(lock.descriptor_, -1));
      continue;
    }
    const std::string about = fmt::format("process {} ({})", ::getpid(), command_line());
    if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, about.data(), about.size(), 0) < 0)
      fail("cannot write {}: {}", path.string(), std::strerror(errno));
    return lock;
  }
}

FileLock::~FileLock() { release(); }

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

void FileLock::release() noexcept {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());  // while it is held: whoever waits for this file sees that it has no name any more
  ::close(descriptor_);
  descriptor_ = -1;
}

FileLock lock_directory(const std::filesystem::path& directory) {
  std::string holder;
  if (auto lock = FileLock::take(directory / ".lock", holder)) return std::move(*lock);
  fail("{} is in use by {}; wait until it has ended, or name another directory", directory.string(), holder);
}

}  // namespace layerboost
