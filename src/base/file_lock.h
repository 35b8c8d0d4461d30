// One process at a time: a lock that lies beside what it guards and goes away with its holder, however that ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace layerboost {

/// An advisory lock (flock) on a file that exists only while somebody holds it. The system frees it when its holder
/// ends, killed or not. Moveable, not copyable.
class FileLock {
 public:
  /// Takes the lock at `path`, making the file and missing parent folders. Gives nothing when another process (or
  /// another FileLock of this one) has it; `holder` then says who: "process 4711 (layerboost heal ...)". Throws Error
  /// when the file can't be made.
  static std::optional<FileLock> take(const std::filesystem::path& path, std::string& holder);

  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  FileLock(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  void release() noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Takes the lock of a directory (its file `.lock`), which is made if it is missing. Throws Error naming the process
/// that works there already.
FileLock lock_directory(const std::filesystem::path& directory);

}  // namespace layerboost
