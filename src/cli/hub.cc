#include "cli/hub.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"

namespace layerboost {
namespace {

/// A file that bytes are added to; what was there stays until restart().
class PartFile {
 public:
  explicit PartFile(const fs::path& path) : path_(path) { open("ab"); }

  void restart() { open("wb"); }
  void add(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size() || std::fflush(file_.get()) != 0)
      give_up();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void open(const char* mode) {
    file_.reset(std::fopen(path_.c_str(), mode));
    if (!file_) give_up();
  }
  [[noreturn]] void give_up() const { fail("cannot write {}: {}", path_.string(), std::strerror(errno)); }

  fs::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

std::int64_t size_or_zero(const fs::path& path) {
  std::error_code missing;
  const auto size = fs::file_size(path, missing);
  return missing ? 0 : static_cast<std::int64_t>(size);
}

/// SHA-1 of git's blob object, in hex.
std::string git_blob_sha1(std::string_view content) {
  const std::string object = fmt::format("blob {}", content.size()) + '\0' + std::string(content);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  LB_CHECK(EVP_Digest(object.data(), object.size(), digest, &length, EVP_sha1(), nullptr) == 1);
  return fmt::format("{:02x}", fmt::join(digest, digest + length, ""));
}

/// Refuses names that would leave the folder they are put in.
void check_name(const std::string& path, const std::string& model) {
  const bool odd = path.empty() || path.find('\\') != std::string::npos ||
                   std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  const fs::path parts(path);
  const bool leaves = parts.is_absolute() || std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (odd || leaves)
    fail("the hub lists a file of {} with the unsafe name {}; nothing was fetched", model, Json(path).dump());
}

/// One entry of the tree (type, path, size, oid, lfs.oid) or of the siblings (rfilename, size, blobId, lfs.sha256).
HubFile to_file(const Json& entry, const std::string& where) {
  HubFile file;
  file.path =
      entry.contains("path") ? get<std::string>(entry, "path", where) : get<std::string>(entry, "rfilename", where);
  file.size = get_or<std::int64_t>(entry, "size", -1, where);
  file.git_sha1 = get_or<std::string>(entry, entry.contains("oid") ? "oid" : "blobId", "", where);
  if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
    file.sha256 = get_or<std::string>(*lfs, lfs->contains("oid") ? "oid" : "sha256", "", where);
    file.size = get_or<std::int64_t>(*lfs, "size", file.size, where);
    file.git_sha1.clear();  // that of the pointer, not of the content
  }
  return file;
}

}  // namespace

Hub::Hub(const Source& source, Patience patience)
    : source_(source), patience_(patience), http_(source.endpoint, source.token) {}

std::vector<HubFile> Hub::list() {
  const std::string api = "/api/models/" + HttpClient::escaped(source_.model);
  const std::string revision = HttpClient::escaped(source_.revision);
  Json entries;
  std::string text = get_text(api + "/tree/" + revision + "?recursive=true");
  if (!text.empty()) {
    entries = parse_json(text, "the hub's list of files");
  } else {  // some mirrors have no trees
    text = get_text(api + (source_.revision == "main" ? "" : "/revision/" + revision) + "?blobs=true");
    if (text.empty()) fail("{} has no model {} with revision {}", http_.base(), source_.model, source_.revision);
    entries = get<Json>(parse_json(text, "the hub's answer"), "siblings", "the hub's answer");
  }
  std::vector<HubFile> files;
  for (const Json& entry : entries) {
    if (get_or<std::string>(entry, "type", "file", "the hub's list of files") != "file") continue;
    files.push_back(to_file(entry, "the hub's list of files"));
    check_name(files.back().path, source_.model);
  }
  return files;
}

void Hub::fetch(const HubFile& file, const fs::path& target, const std::function<void(std::int64_t)>& on_bytes) {
  const fs::path part = part_of(target);
  if (target.has_parent_path()) fs::create_directories(target.parent_path());
  for (;;) {
    const bool resumed = size_or_zero(part) > 0;
    download(file, part, on_bytes);
    const std::string wrong = mismatch(file, part);
    if (wrong.empty()) break;
    fs::remove(part);
    if (!resumed) fail("{}: what arrived is damaged: {}; nothing was kept", file.path, wrong);
  }
  fs::rename(part, target);
}

/// The body of an answer; empty for 404.
std::string Hub::get_text(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    std::string text;
    const HttpOutcome reply = http_.get(path, 0, [&](long, std::string_view bytes) { text += bytes; });
    if (reply.complete()) return text;
    if (reply.status == 404) return "";
    if (reply.permanent || attempt == patience_.attempts) refuse(reply, source_.model);
    wait(attempt);
  }
}

/// Brings `part` to the file's end, however often the connection is lost, as long as each time brings something new.
void Hub::download(const HubFile& file, const fs::path& part, const std::function<void(std::int64_t)>& on_bytes) {
  const std::string path = "/" + HttpClient::escaped(source_.model) + "/resolve/" +
                           HttpClient::escaped(source_.revision) + "/" + HttpClient::escaped(file.path);
  std::int64_t furthest = 0;
  for (int attempt = 1;; ++attempt) {
    const std::int64_t offset = size_or_zero(part);
    if (offset > 0 && offset == file.size) return;
    PartFile out(part);
    bool first = true;
    const HttpOutcome reply = http_.get(path, offset, [&](long status, std::string_view bytes) {
      if (first && status == 200) out.restart();  // the server sends all of it
      first = false;
      out.add(bytes);
      on_bytes(static_cast<std::int64_t>(bytes.size()));
    });
    if (reply.complete()) return;
    const bool beyond_the_end = reply.status == 416 && offset > 0;
    if (beyond_the_end) out.restart();  // what was kept belongs to another version
    if (reply.permanent && !beyond_the_end) refuse(reply, file.path);
    if (const std::int64_t size = size_or_zero(part); size > std::max(furthest, offset)) {
      furthest = size;
      attempt = 1;
    }
    if (attempt == patience_.attempts) refuse(reply, file.path);
    wait(attempt);
  }
}

void Hub::refuse(const HttpOutcome& reply, const std::string& what) const {
  if (reply.status == 401 || reply.status == 403) {
    fail("{}: {} does not let {} read it ({}); set HF_TOKEN to a token that may, or check the name", what, http_.base(),
         source_.token.empty() ? "anyone without a token" : "this HF_TOKEN", reply.status);
  }
  if (reply.status == 404) fail("{}: not at {} in revision {}", what, http_.base(), source_.revision);
  if (!reply.failure.empty()) fail("{}: cannot fetch from {}: {}", what, http_.base(), reply.failure);
  fail("{}: {} answers with HTTP status {}; try again later", what, http_.base(), reply.status);
}

void Hub::wait(int attempt) const {
  const double seconds = patience_.first_wait * std::pow(2, attempt - 1);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    check_interrupt("stopped; the same command goes on where this one ended");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string mismatch(const HubFile& file, const fs::path& path) {
  const std::int64_t size = size_or_zero(path);
  if (file.size >= 0 && size != file.size) return fmt::format("{} bytes instead of {}", size, file.size);
  if (file.sha256.empty() && file.git_sha1.empty()) return "";
  const MappedFile content = size > 0 ? MappedFile(path) : MappedFile();
  if (!file.sha256.empty() && sha256(content.text()) != file.sha256)
    return "its SHA-256 is not the one that the hub lists";
  if (!file.git_sha1.empty() && git_blob_sha1(content.text()) != file.git_sha1)
    return "its git hash is not the one that the hub lists";
  return "";
}

fs::path part_of(const fs::path& target) { return target.string() + ".part"; }

}  // namespace layerboost
