// A Hugging Face hub: lists a model's files and fetches them, resuming and checking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "net/http_client.h"

namespace layerboost {

struct HubFile {
  std::string path;        // inside the repository
  std::int64_t size = -1;  // bytes; -1: not said
  std::string sha256;      // of files in large file storage; empty: not said
  std::string git_sha1;    // of the other files: SHA-1 of "blob SIZE\0" and the content; empty: not said
};

/// One model at one revision of a hub.
class Hub {
 public:
  struct Source {
    std::string endpoint;  // "https://host"
    std::string token;     // empty: anonymous
    std::string model;     // ORG/NAME
    std::string revision;  // branch, tag or commit
  };
  /// Times to ask before giving up, and the wait before the second (seconds), which doubles each time. Where the hub
  /// asks for a longer wait, that is kept, unless it is above `longest_wait`: then this is the end.
  struct Patience {
    int attempts = 6;
    double first_wait = 1;
    double longest_wait = 60;
  };

  explicit Hub(const Source& source) : Hub(source, Patience()) {}
  Hub(const Source& source, Patience patience);

  /// All files. Throws Error when the model or revision doesn't exist, permission is missing, the hub can't be reached,
  /// its list is too long to be one, or it names a file that would lie outside the model's folder.
  std::vector<HubFile> list();

  /// Fetches into `target`, by way of TARGET.part, which a later call continues; one process at a time. Sizes and
  /// hashes are checked as far as the hub gave them: target is complete and right, or as it was before. More than the
  /// listed size is cut off. on_bytes(n) is told of every n bytes that arrive. Throws Error, Interrupted.
  void fetch(const HubFile& file, const fs::path& target, const std::function<void(std::int64_t)>& on_bytes);

 private:
  HttpOutcome ask(const std::string& path, std::int64_t offset, const HttpClient::Request::Sink& sink);
  std::string get_text(const std::string& path);
  void download(const HubFile& file, const fs::path& part, const std::function<void(std::int64_t)>& on_bytes);
  [[noreturn]] void refuse(const HttpOutcome& reply, const std::string& what) const;
  void try_again(const HttpOutcome& reply, const std::string& what, int attempt) const;

  Source source_;
  Patience patience_;
  HttpClient http_;
};

/// Bytes that are free on the disk that `path` is on or would be made on; nothing when the system doesn't say.
std::optional<std::int64_t> free_space(const fs::path& path);

/// What is wrong with `path` as the content of `file`, in one phrase; empty when size and hash are as the hub says.
std::string mismatch(const HubFile& file, const fs::path& path);

/// Where an unfinished download of `target` waits.
fs::path part_of(const fs::path& target);

}  // namespace layerboost
