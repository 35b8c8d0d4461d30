#include "net/hub.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "artifact/folders.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"

namespace layerboost {
namespace {

constexpr std::size_t most_list_bytes = std::size_t{16} << 20, most_files = 20000;
constexpr std::size_t tree_page = 1000;                       // entries of one answer
constexpr std::int64_t largest_file = std::int64_t{1} << 46;  // bytes; the sum of all is a number, too
constexpr const char* how_to_go_on = "stopped; the same command goes on where this one ended";

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

/// "503 (Service Unavailable)".
std::string status_text(long status) {
  constexpr std::pair<long, const char*> names[] = {{408, "Request Timeout"},       {429, "Too Many Requests"},
                                                    {500, "Internal Server Error"}, {502, "Bad Gateway"},
                                                    {503, "Service Unavailable"},   {504, "Gateway Timeout"}};
  for (const auto& [number, name] : names)
    if (status == number) return fmt::format("{} ({})", status, name);
  return fmt::format("with HTTP status {}", status);
}

/// Refuses names that would leave the folder they are put in, or that no file can have.
void check_name(const std::string& path, const std::string& model) {
  constexpr std::size_t longest_part = 240, longest = 1000;  // with ".part" behind it
  const bool odd = path.empty() || path.size() > longest || path.find('\\') != std::string::npos ||
                   std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  const fs::path parts(path);
  const bool leaves = parts.is_absolute() || std::any_of(parts.begin(), parts.end(), [](const fs::path& part) {
                        return part == ".." || part.native().size() > longest_part;
                      });
  if (odd || leaves)
    fail("the hub lists a file of {} with the unsafe name {}; nothing was fetched", model, in_quotes(path));
}

/// The number of bytes under "size"; `otherwise` where it isn't said.
std::int64_t listed_size(const Json& entry, std::int64_t otherwise, const std::string& path) {
  const auto size = entry.find("size");
  if (size == entry.end() || size->is_null()) return otherwise;
  const bool possible = size->is_number_integer() && *size >= 0 && *size <= largest_file;
  if (!possible) fail("the hub lists {} with the impossible size {}", path, printable(size->dump(), 40));
  return size->get<std::int64_t>();
}

/// One entry of the tree (type, path, size, oid, lfs.oid) or of the siblings (rfilename, size, blobId, lfs.sha256).
HubFile to_file(const Json& entry, const std::string& where) {
  HubFile file;
  file.path =
      entry.contains("path") ? get<std::string>(entry, "path", where) : get<std::string>(entry, "rfilename", where);
  file.size = listed_size(entry, -1, printable(file.path, 80));
  file.git_sha1 = get_or<std::string>(entry, entry.contains("oid") ? "oid" : "blobId", "", where);
  if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
    file.sha256 = get_or<std::string>(*lfs, lfs->contains("oid") ? "oid" : "sha256", "", where);
    file.size = listed_size(*lfs, file.size, printable(file.path, 80));
    file.git_sha1.clear();  // that of the pointer, not of the content
  }
  return file;
}

}  // namespace

Hub::Hub(const Source& source, Patience patience)
    : source_(source),
      patience_(patience),
      http_({.base = source.endpoint,
             .base_name = "HF_ENDPOINT",
             .token = source.token,
             .token_name = "the token for the hub (HF_TOKEN, or its file)",
             .most_redirects = 10}) {}

std::vector<HubFile> Hub::list() {
  const std::string where = "the hub's list of files";
  const std::string api = "/api/models/" + HttpClient::escaped(source_.model);
  const std::string revision = HttpClient::escaped(source_.revision);
  Json entries;
  if (const std::string tree = get_text(api + "/tree/" + revision + "?recursive=true"); !tree.empty())
    entries = parse_json(tree, where);
  // Some mirrors have no trees; and a tree comes in pages, where this comes whole.
  if (!entries.is_array() || entries.size() >= tree_page) {
    const std::string text =
        get_text(api + (source_.revision == "main" ? "" : "/revision/" + revision) + "?blobs=true");
    if (text.empty()) fail("{} has no model {} with revision {}", http_.base(), source_.model, source_.revision);
    entries = get<Json>(parse_json(text, where), "siblings", where);
  }
  if (!entries.is_array()) fail("{} isn't a list", where);
  if (entries.size() > most_files)
    fail("{} has {} entries; more than {} are no model", where, entries.size(), most_files);
  std::vector<HubFile> files;
  for (const Json& entry : entries) {
    if (get_or<std::string>(entry, "type", "file", where) != "file") continue;
    files.push_back(to_file(entry, where));
    check_name(files.back().path, source_.model);
  }
  return files;
}

void Hub::fetch(const HubFile& file, const fs::path& target, const std::function<void(std::int64_t)>& on_bytes) {
  const fs::path part = part_of(target);
  std::error_code error;
  if (target.has_parent_path()) fs::create_directories(target.parent_path(), error);
  if (error) fail("cannot make the directory {}: {}", target.parent_path().string(), error.message());
  for (;;) {
    const bool resumed = size_or_zero(part) > 0;
    download(file, part, on_bytes);
    const std::string wrong = mismatch(file, part);
    if (wrong.empty()) break;
    fs::remove(part, error);
    if (!resumed) fail("{}: what arrived is damaged: {}; nothing was kept", file.path, wrong);
  }
  fs::rename(part, target, error);
  if (error) fail("cannot write {}: {}", target.string(), error.message());
}

HttpOutcome Hub::ask(const std::string& path, std::int64_t offset, const HttpClient::Request::Sink& sink) {
  HttpOutcome reply = http_.get(path, offset, sink);
  check_interrupt(how_to_go_on);
  return reply;
}

/// The body of an answer; empty for 404.
std::string Hub::get_text(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    std::string text;
    const HttpOutcome reply = ask(path, 0, [&](long, std::string_view bytes) {
      if (text.size() + bytes.size() > most_list_bytes)
        fail("{}: the list of files at {} goes on after {} MiB; nothing was fetched", source_.model, http_.base(),
             most_list_bytes >> 20);
      text += bytes;
      return true;
    });
    if (reply.complete()) return text;
    if (reply.status == 404) return "";
    if (reply.permanent || attempt == patience_.attempts) refuse(reply, source_.model);
    try_again(reply, source_.model, attempt);
  }
}

/// Brings `part` to the file's end, however often the connection is lost, as long as each time brings something new.
void Hub::download(const HubFile& file, const fs::path& part, const std::function<void(std::int64_t)>& on_bytes) {
  const std::string path = "/" + HttpClient::escaped(source_.model) + "/resolve/" +
                           HttpClient::escaped(source_.revision) + "/" + HttpClient::escaped(file.path);
  std::int64_t furthest = 0;
  std::error_code ignored;
  for (int attempt = 1;; ++attempt) {
    if (file.size >= 0 && size_or_zero(part) > file.size) fs::remove(part, ignored);  // of another version
    const std::int64_t offset = size_or_zero(part);
    if (offset > 0 && offset == file.size) return;
    const std::int64_t most = file.size >= 0 ? file.size : offset + free_space(part).value_or(largest_file);
    PartFile out(part);
    bool first = true;
    std::int64_t kept = offset;
    const HttpOutcome reply = ask(path, offset, [&](long status, std::string_view bytes) {
      if (first && status == 200) {  // the server sends all of it
        out.restart();
        kept = 0;
      }
      first = false;
      const auto count = static_cast<std::int64_t>(bytes.size());
      if (count > most - kept) {
        fs::remove(part, ignored);
        fail("{}: more arrives than {}; nothing was kept", file.path,
             file.size >= 0 ? fmt::format("the {} bytes that {} lists", file.size, http_.base())
                            : "the disk has room for");
      }
      out.add(bytes);
      kept += count;
      on_bytes(count);
      return true;
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
    if (!beyond_the_end) try_again(reply, file.path, attempt);
  }
}

void Hub::refuse(const HttpOutcome& reply, const std::string& what) const {
  if (reply.status == 401 || reply.status == 403) {
    fail("{}: {} does not let {} read it ({}); set HF_TOKEN to a token that may, or check the name", what, http_.base(),
         source_.token.empty() ? "anyone without a token" : "the owner of this token", reply.status);
  }
  if (reply.status == 404) fail("{}: not at {} in revision {}", what, http_.base(), source_.revision);
  if (!reply.failure.empty()) fail("{}: cannot fetch from {}: {}", what, http_.base(), reply.failure);
  if (reply.permanent) fail("{}: {} answers {}", what, http_.base(), status_text(reply.status));
  fail("{}: {} answers {}; try again {}", what, http_.base(), status_text(reply.status),
       static_cast<double>(reply.retry_after) > patience_.longest_wait
           ? fmt::format("after {} s, as it asks", reply.retry_after)
           : "later");
}

/// Says what happened and waits: longer after each attempt, and at least as long as the hub asks.
void Hub::try_again(const HttpOutcome& reply, const std::string& what, int attempt) const {
  const auto asked = static_cast<double>(reply.retry_after);
  if (asked > patience_.longest_wait) refuse(reply, what);
  const double seconds =
      std::max(asked, std::min(patience_.first_wait * std::pow(2, attempt - 1), patience_.longest_wait));
  note("{}: {}; trying again in {:g} s ({} of {})", what,
       reply.failure.empty() ? fmt::format("{} answers {}", http_.base(), status_text(reply.status))
                             : fmt::format("{}: {}", http_.base(), reply.failure),
       seconds, attempt, patience_.attempts - 1);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    check_interrupt(how_to_go_on);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::optional<std::int64_t> free_space(const fs::path& path) {
  std::error_code error;
  const fs::space_info space = fs::space(nearest_folder(path), error);
  if (error || space.available > static_cast<std::uintmax_t>(largest_file)) return {};
  return static_cast<std::int64_t>(space.available);
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
