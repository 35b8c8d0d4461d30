// Files: memory maps, whole-file reads, writes that are complete or absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace layerboost {

namespace fs = std::filesystem;

/// Opens a regular file for reading. Throws Error, at once, for what can't be opened and for whatever else stands
/// there: a FIFO, which could make the caller wait, a device, a folder.
Descriptor open_regular(const fs::path& path);

/// Whether anything is at `path`, be it something that can't be read (a link to itself, a folder that others own):
/// opening it then says what.
bool is_there(const fs::path& path);

/// A whole regular file mapped read-only. The bytes live as long as the object, but when another program cuts the file
/// off, reading them ends this one. Moveable, not copyable.
class MappedFile {
 public:
  MappedFile() = default;
  /// Maps `path`. Throws Error when it can't be opened, isn't a regular file, or is empty.
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  [[nodiscard]] const fs::path& path() const { return path_; }

  /// Throws Error when the file has been written to since it was mapped.
  void check_unchanged() const;

 private:
  void release() noexcept;

  fs::path path_;
  Descriptor file_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t written_ = 0;  // when it last was, in nanoseconds
};

/// A regular file's bytes. Throws Error when it can't be read, isn't one, or is larger than half of the free memory.
std::string read_file(const fs::path& path);

/// Reads as read_file() does, and also a FIFO or pipe to its end: for texts that a command makes, <(zcat corpus.gz).
std::string read_file_or_pipe(const fs::path& path);

/// Writes `content` as FileWriter does, all at once. Throws Error when that fails (a full disk, no permission).
void write_file(const fs::path& path, std::string_view content);

/// $XDG_CACHE_HOME/layerboost or ~/.cache/layerboost; not necessarily existing. Where neither XDG_CACHE_HOME nor HOME
/// is set: a folder of this user's own, closed to others, among the temporary files. Throws Error where that is
/// another's.
fs::path cache_dir();

/// What went wrong with which file, in one line.
std::string message_of(const fs::filesystem_error& error);

/// SHA-256 of the bytes, in lower-case hex.
std::string sha256(std::string_view bytes);

/// "sha256:<64 hex digits>" of the bytes: how this project's files name the content of others.
std::string content_hash(std::string_view bytes);

/// Whether `hash` has the form of one.
bool is_content_hash(std::string_view hash);

/// content_hash() of a file. Throws Error when it can't be read.
std::string file_hash(const fs::path& path);

}  // namespace layerboost
