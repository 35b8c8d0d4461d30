#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/memory.h"

namespace layerboost {
namespace {

std::string reason() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes

struct stat state_of(const Descriptor& file, const fs::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail("cannot read {}: {}", path.string(), reason());
  return info;
}

std::int64_t when_written(const struct stat& info) {
  return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

std::string read_all(const Descriptor& file, const fs::path& path) {
  const std::size_t most = free_memory() / 2;
  const auto check_size = [&](std::size_t size) {
    if (size > most) fail("{}: larger than half of the free memory ({} MiB)", path.string(), most >> 20U);
  };
  const auto expected = static_cast<std::size_t>(state_of(file, path).st_size);  // of a pipe 0
  check_size(expected);
  std::string content;
  content.reserve(expected);
  char buffer[1 << 16];
  for (;;) {
    check_size(content.size());
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read {}: {}", path.string(), reason());
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

/// A folder that nobody else can have filled.
fs::path private_folder() {
  fs::path folder = fs::temp_directory_path() / fmt::format("layerboost-{}", ::getuid());
  ::mkdir(folder.c_str(), 0700);  // what matters is what stands there then
  struct stat info {};
  const bool ours = ::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::getuid() &&
                    (info.st_mode & 077U) == 0;
  if (!ours)
    fail("{} is no folder of this user's alone, and neither HOME nor XDG_CACHE_HOME says where the cache is: set one",
         folder.string());
  return folder;
}

}  // namespace

Descriptor open_regular(const fs::path& path) {
  if (path.native().find('\0') != std::string::npos) fail("cannot open {}: a name with a zero byte", path.string());
  // A FIFO without a writer would keep open() waiting.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) fail("cannot open {}: {}", path.string(), reason());
  if (!S_ISREG(state_of(file, path).st_mode)) fail("{} is not a regular file", path.string());
  return file;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) || error;
}

MappedFile::MappedFile(const fs::path& path) : path_(path), file_(open_regular(path)) {
  const struct stat info = state_of(file_, path);
  if (info.st_size == 0) fail("{} is empty", path.string());
  size_ = static_cast<std::size_t>(info.st_size);
  written_ = when_written(info);
  void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (data == MAP_FAILED) fail("cannot map {}: {}", path.string(), reason());
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::~MappedFile() { release(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      written_(other.written_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    file_ = std::move(other.file_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    written_ = other.written_;
  }
  return *this;
}

void MappedFile::check_unchanged() const {
  if (data_ == nullptr) return;
  const struct stat info = state_of(file_, path_);
  if (static_cast<std::size_t>(info.st_size) != size_ || when_written(info) != written_)
    fail("{} was changed while it was read; run the same command again when it is complete", path_.string());
}

void MappedFile::release() noexcept {
  // munmap() takes a void*, although the mapping can only be read: hence the const_cast.
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_file(const fs::path& path) { return read_all(open_regular(path), path); }

std::string read_file_or_pipe(const fs::path& path) {
  std::error_code error;
  if (fs::status(path, error).type() != fs::file_type::fifo) return read_file(path);
  const Descriptor pipe(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (pipe.get() < 0) fail("cannot open {}: {}", path.string(), reason());
  return read_all(pipe, path);
}

void write_file(const fs::path& path, std::string_view content) {
  FileWriter writer(path);
  writer.write(content);
  writer.finish();
}

fs::path cache_dir() {
  if (const char* dir = std::getenv("XDG_CACHE_HOME"); dir != nullptr && *dir != '\0')
    return fs::path(dir) / "layerboost";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache/layerboost";
  return private_folder();
}

std::string message_of(const fs::filesystem_error& error) {
  return fmt::format("{}: {}", error.path1().string(), error.code().message());
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  LB_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string content_hash(std::string_view bytes) { return "sha256:" + sha256(bytes); }

bool is_content_hash(std::string_view hash) {
  constexpr std::string_view begin = "sha256:", digits = "0123456789abcdef";
  return hash.size() == begin.size() + 64 && hash.starts_with(begin) &&
         hash.find_first_not_of(digits, begin.size()) == std::string_view::npos;
}

std::string file_hash(const fs::path& path) { return content_hash(MappedFile(path).text()); }

}  // namespace layerboost
