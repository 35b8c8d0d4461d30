// A large file written piece by piece: complete or absent.
#pragma once

#include <span>
#include <string_view>

#include "base/file.h"

namespace layerboost {

/// Writes to a temporary name beside `path`; finish() syncs and renames. Without finish() nothing stays.
class FileWriter {
 public:
  /// Makes missing parent folders. Throws Error when the file can't be made.
  explicit FileWriter(fs::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// Throws Error when that fails (a full disk).
  void write(std::string_view bytes);
  template <typename T>
  void write(std::span<const T> values) {
    write(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }

  /// To call once, after the last write. Throws Error.
  void finish();

 private:
  [[noreturn]] void give_up();

  fs::path path_, temporary_;
  int fd_ = -1;
};

}  // namespace layerboost
