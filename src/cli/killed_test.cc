// What writes a directory for long and is killed before any of its files gets its name or goes comes, begun again, to
// the same as a run in one go.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <sstream>

#include "cli/ladder_for_tests.h"
#include "cli/run_for_tests.h"

namespace {

int operations_until_kill = -1;  // this process is killed before the next operation where it is 0; never where below

void kill_if_due() {
  if (operations_until_kill >= 0 && operations_until_kill-- == 0) ::raise(SIGKILL);
}

}  // namespace

// In this program these stand in for the C library's. Files are written under another name and then renamed, so that
// nothing else changes what a reader finds but a log's next line.
#define LB_IN_PLACE_OF_LIBC extern "C" __attribute__((visibility("default"))) int

LB_IN_PLACE_OF_LIBC rename(const char* from, const char* to) noexcept {
  kill_if_due();
  return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
}

LB_IN_PLACE_OF_LIBC unlink(const char* path) noexcept {
  kill_if_due();
  return ::unlinkat(AT_FDCWD, path, 0);
}

LB_IN_PLACE_OF_LIBC remove(const char* path) noexcept {
  kill_if_due();
  return ::unlinkat(AT_FDCWD, path, 0) == 0 ? 0 : ::unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

#undef LB_IN_PLACE_OF_LIBC

namespace layerboost {
namespace {

/// Without what tells when, how fast and in how many runs.
Json without_times(Json json) {
  if (json.is_object()) {
    for (const char* const key : {"run", "runs", "made_from", "seconds", "speedup", "tokens_per_second", "rows"})
      json.erase(key);
  }
  if (json.is_structured())
    for (auto& value : json) value = without_times(value);
  return json;
}

/// What two runs must have in common of a file.
std::string comparable(const fs::path& file) {
  const std::string content = read_file(file), kind = file.extension().string();
  if (kind == ".json") return without_times(Json::parse(content)).dump(1);
  if (kind == ".jsonl") {
    std::string lines;
    std::istringstream in(content);
    for (std::string line; std::getline(in, line);) lines += without_times(Json::parse(line)).dump() + "\n";
    return lines;
  }
  return kind == ".safetensors" || kind == ".txt" ? content : "";  // times are in a checkpoint and on a page, too
}

/// All files below a directory by their names.
std::map<std::string, std::string> files_below(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), directory).string()] = comparable(entry.path());
  return files;
}

class Killed : public test::LadderFolder {
 protected:
  Killed() : LadderFolder("killed_test") {}

  /// Runs a command in a process of its own, killed before so many operations are done (never where below 0), and
  /// returns as waitpid() does.
  [[nodiscard]] int run_apart(const std::vector<std::string>& command, int operations) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const int output = ::open(path("output").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(output, STDOUT_FILENO);
      ::dup2(output, STDERR_FILENO);
      operations_until_kill = operations;
      const int code = run(command);
      operations_until_kill = -1;
      std::fflush(nullptr);
      ::_exit(code);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }

  /// Runs a command that writes the folder "out" in one go, then killed before its first operation and begun again,
  /// before its second and begun again, and so on. All come to the same files, and nothing else is left.
  void expect_same(const std::vector<std::string>& command, int least_operations) const {
    const std::string out = path("out");
    ASSERT_EQ(run_apart(command, -1), 0) << read_file(path("output"));
    const auto expected = files_below(out);
    for (int operations = 0;; ++operations) {
      fs::remove_all(out);
      const int status = run_apart(command, operations);
      if (WIFEXITED(status)) {
        EXPECT_EQ(WEXITSTATUS(status), 0) << read_file(path("output"));
        EXPECT_GE(operations, least_operations);
        return;
      }
      ASSERT_EQ(WTERMSIG(status), SIGKILL) << read_file(path("output"));
      ASSERT_EQ(run_apart(command, -1), 0) << "killed before operation " << operations << "\n"
                                           << read_file(path("output"));
      const auto made = files_below(out);
      for (const auto& [name, content] : expected) {
        ASSERT_TRUE(made.contains(name)) << name << " is missing; killed before operation " << operations;
        ASSERT_TRUE(made.at(name) == content)
            << name << " differs; killed before operation " << operations
            << (name.find(".json") != std::string::npos ? made.at(name) + content : "");
      }
      for (const auto& [name, content] : made)
        ASSERT_TRUE(expected.contains(name)) << name << " is left; killed before operation " << operations;
    }
  }
};

TEST_F(Killed, Ladder) {
  expect_same(ladder_command({"--to", "window:16+2,window:4+2", "--rungs", "4", "--no-bench"}), 10);
}

TEST_F(Killed, LadderThatIsTrained) {
  expect_same(ladder_command(
                  {"--to", "dual_state", "--rungs", "2", "--train-text", text_, "--train-tokens", "512", "--no-bench"}),
              10);
}

TEST_F(Killed, Heal) {
  const std::string plan = folder_.plan({full_attention, {MixerKind::window, 8, 2}, full_attention}).string();
  expect_same(heal_command(plan, "out", "512"), 5);
}

TEST_F(Killed, Boost) {
  expect_same({"boost",       path("model.gguf"),
               "--text",      text_,
               "--eval-text", other_,
               "--tokens",    "256",
               "--length",    "64",
               "--kv",        "0.5",
               "--by",        "kl",
               "--window",    "4,8",
               "--retrieval", "32",
               "--heal",      "512",
               "--batch",     "1",
               "--prompt",    "16",
               "--threads",   "1",
               "-o",          path("out")},
              15);
}

}  // namespace
}  // namespace layerboost
