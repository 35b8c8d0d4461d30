// Files: memory maps, whole-file reads, writes that are complete or absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace layerboost {

namespace fs = std::filesystem;

/// A whole file mapped read-only. The bytes live as long as the object. Moveable, not copyable.
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

 private:
  void release() noexcept;

  fs::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The file's bytes. Throws Error when it can't be read.
std::string read_file(const fs::path& path);

/// Writes `content` to a temporary name beside `path`, syncs it and renames it: `path` holds all of it or what it held
/// before. Makes missing parent folders. Throws Error when that fails (a full disk, no permission).
void write_file(const fs::path& path, std::string_view content);

/// $XDG_CACHE_HOME/layerboost or ~/.cache/layerboost; not necessarily existing.
fs::path cache_dir();

/// SHA-256 of the bytes, in lower-case hex.
std::string sha256(std::string_view bytes);

}  // namespace layerboost
