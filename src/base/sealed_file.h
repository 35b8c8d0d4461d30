// Files that end with the SHA-256 of what comes before, so that damage is noticed: a changed byte, a part that is gone.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file_writer.h"
#include "base/json.h"

namespace layerboost {

/// A FileWriter that adds the hash at the end.
class SealedWriter {
 public:
  /// Throws as FileWriter.
  explicit SealedWriter(fs::path path);
  ~SealedWriter();
  SealedWriter(const SealedWriter&) = delete;
  SealedWriter& operator=(const SealedWriter&) = delete;

  /// Throws Error when that fails (a full disk).
  void write(std::string_view bytes);
  template <typename T>
  void write(std::span<const T> values) {
    write(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }

  /// Adds the hash and puts the file in its place. Throws Error. Requires: this is the first call, and no write()
  /// follows.
  void finish();

 private:
  struct Digest;
  FileWriter writer_;
  std::unique_ptr<Digest> digest_;
};

/// `content` with its hash behind it, as a SealedWriter writes it.
std::string sealed(std::string content);

/// The content of such a file, a part of `file`; no value where its hash isn't right.
std::optional<std::string_view> unsealed(std::string_view file);

/// A JSON object with the hash of all its other values under "hash".
Json sealed_json(Json object);

/// Whether that hash is there and right.
bool is_sealed(const Json& object);

}  // namespace layerboost
