// A file written piece by piece: complete or absent.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/descriptor.h"
#include "base/file.h"

namespace layerboost {

/// The file that writing to `path` makes or replaces, links followed; nothing where the bytes go straight into what is
/// there: a device, a FIFO, /dev/stdout. Throws Error for a link that leads to itself.
std::optional<fs::path> replaced_file(const fs::path& path);

/// Writes to a temporary name beside `path`; finish() syncs and renames, so that `path` holds all of it or what it held
/// before. Without finish() nothing stays. Links are followed. What is there and isn't a regular file (a device, a
/// FIFO, /dev/stdout) is opened and written into.
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

  /// Puts the file in its place. Throws Error. Requires: this is the first call, and no write() follows.
  void finish();

 private:
  [[noreturn]] void give_up();

  fs::path path_;                // as it was given
  fs::path target_, temporary_;  // temporary_ is empty where bytes go straight to their place
  Descriptor file_;
};

}  // namespace layerboost
