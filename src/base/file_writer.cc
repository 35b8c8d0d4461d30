#include "base/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace layerboost {

FileWriter::FileWriter(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + fmt::format(".tmp{}", ::getpid())) {
  if (path_.has_parent_path()) {
    std::error_code ignored;  // what matters shows when the file is made
    fs::create_directories(path_.parent_path(), ignored);
  }
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) give_up();
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void FileWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void FileWriter::finish() {
  if (::fsync(fd_) != 0) give_up();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) give_up();
  ::close(std::exchange(fd_, -1));
}

void FileWriter::give_up() {
  const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes
  fail("cannot write {}: {}", path_.string(), why);
}

}  // namespace layerboost
