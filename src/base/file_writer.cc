#include "base/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

/// The descriptor that `path` names: /dev/stdout, /dev/fd/63 (which a shell's >(command) is), /proc/self/fd/1.
std::optional<int> named_descriptor(const fs::path& path) {
  const std::string text = path.string();
  if (text == "/dev/stdout") return STDOUT_FILENO;
  if (text == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!text.starts_with(folder)) continue;
    int number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + folder.size(), end, number);
    if (error == std::errc() && stop == end) return number;
  }
  return {};
}

/// Where links lead, up to a name of a descriptor or what isn't there yet.
fs::path followed(const fs::path& path) {
  constexpr int most_links = 40;  // as the kernel
  fs::path target = path;
  for (int links = 0; links <= most_links; ++links) {
    std::error_code error;
    const fs::path next = named_descriptor(target) ? fs::path() : fs::read_symlink(target, error);
    if (error || next.empty()) return target;
    target = target.parent_path() / next;  // an absolute `next` stands alone
  }
  fail("cannot write {}: a link that leads to itself", path.string());
}

bool is_other_than_regular(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

}  // namespace

std::optional<fs::path> replaced_file(const fs::path& path) {
  fs::path target = followed(path);
  if (named_descriptor(target) || is_other_than_regular(target)) return {};
  return target;
}

FileWriter::FileWriter(fs::path path) : path_(std::move(path)), target_(followed(path_)) {
  if (const std::optional<int> number = named_descriptor(target_)) {
    std::fflush(nullptr);  // what was printed before stays before
    file_ = Descriptor(::fcntl(*number, F_DUPFD_CLOEXEC, 0));
  } else if (is_other_than_regular(target_)) {
    file_ = Descriptor(::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  } else {
    if (target_.has_parent_path()) {
      std::error_code ignored;  // what matters shows when the file is made
      fs::create_directories(target_.parent_path(), ignored);
    }
    temporary_ = target_.string() + fmt::format(".tmp{}", ::getpid());
    file_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  }
  if (file_.get() < 0) give_up();
}

FileWriter::~FileWriter() {
  if (file_.get() >= 0 && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void FileWriter::finish() {
  if (temporary_.empty()) return file_.close();
  if (::fsync(file_.get()) != 0) give_up();
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) give_up();
  file_.close();
}

void FileWriter::give_up() {
  const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes
  fail("cannot write {}: {}", path_.string(), why);
}

}  // namespace layerboost
