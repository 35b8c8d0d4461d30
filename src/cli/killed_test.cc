// Whatever writes a directory for long and is killed on the way, at any of its writes, comes to the same in the end.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <thread>
#include <utility>

#include "cli/run_for_tests.h"
#include "heal/model_for_tests.h"

namespace layerboost {
namespace {

using Files = std::map<std::string, std::string>;  // by name

/// What every file below `directory` holds, but for its lock and what is being written.
Files files_below(const fs::path& directory) {
  Files files;
  std::error_code gone;  // a file that is renamed meanwhile
  for (const auto& entry : fs::recursive_directory_iterator(directory, gone)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(gone) || name == ".lock" || name.find(".tmp") != std::string::npos) continue;
    try {
      files[fs::relative(entry.path(), directory).string()] = read_file(entry.path());
    } catch (const Error&) {
      continue;  // removed meanwhile
    }
  }
  return files;
}

/// Runs a command that writes `directory` in processes of their own, each killed as soon as it has changed a file
/// there, later ones after a few more changes, until one ends by itself. Returns how many were killed.
int run_killed_at_each_write(const fs::path& directory, const std::vector<std::string>& command) {
  for (int killed = 0; killed < 300; ++killed) {
    Files last = files_below(directory);
    int changes_left = 1 + killed / 10;  // logs are written also where nothing is gained
    const pid_t child = ::fork();
    if (child == 0) {
      const ProgramResult result = run_and_read(command);
      if (result.code != 0) std::cerr << result.err;
      ::_exit(result.code);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      Files now = files_below(directory);
      if (now != last && --changes_left == 0) ::kill(child, SIGKILL);
      last = std::move(now);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (WIFSIGNALED(status)) continue;
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return killed;
  }
  ADD_FAILURE() << "it gets nowhere";
  return 300;
}

/// Without what tells when, how fast, in how many runs and where.
Json without_times(Json json) {
  if (json.is_object()) {
    for (const char* const key :
         {"run", "runs", "made_from", "seconds", "speedup", "decode_speed", "tokens_per_second", "rows", "steps"})
      json.erase(key);
  }
  if (json.is_structured())
    for (auto& value : json) value = without_times(value);
  return json;
}

class Killed : public testing::Test {
 protected:
  Killed() : folder_("killed_test") {
    text_ = folder_.corpus("text.jsonl", 6, 200);
    other_ = folder_.file("other.txt", std::string(400, 'a') + "bababb" + std::string(300, 'b'));
  }

  [[nodiscard]] std::string path(const char* name) const { return folder_.path(name).string(); }

  /// Runs a command killed at each write and once more in one go, each into a directory of its own, given behind
  /// `command`. Both come to the same files, and nothing else is left.
  void expect_same(std::vector<std::string> command, int least_kills) const {
    command.insert(command.end(), {"--threads", "1", "-o", path("pieces")});
    const int killed = run_killed_at_each_write(path("pieces"), command);
    EXPECT_GE(killed, least_kills);
    command.back() = path("whole");
    const ProgramResult whole = run_and_read(command);
    ASSERT_EQ(whole.code, 0) << whole.err;
    const Files made = files_below(path("pieces")), expected = files_below(path("whole"));
    for (const auto& [name, content] : expected) {
      ASSERT_TRUE(made.contains(name)) << name;
      if (name.ends_with(".json")) {
        EXPECT_EQ(without_times(Json::parse(made.at(name))), without_times(Json::parse(content))) << name;
      } else if (name.ends_with(".safetensors")) {
        EXPECT_TRUE(made.at(name) == content) << name;
      }
    }
    for (const auto& [name, content] : made) EXPECT_TRUE(expected.contains(name)) << name << " is left";
  }

  [[nodiscard]] std::vector<std::string> ladder(const std::vector<std::string>& more) const {
    std::vector<std::string> command = {"ladder",
                                        path("model.gguf"),
                                        "--text",
                                        text_,
                                        "--eval-text",
                                        other_,
                                        "--tokens",
                                        "256",
                                        "--length",
                                        "64",
                                        "--windows",
                                        "4",
                                        "--window-tokens",
                                        "64",
                                        "--retrieval",
                                        "0",
                                        "--context",
                                        "64",
                                        "--retrieval-items",
                                        "0",
                                        "--no-bench"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  test::HealFolder folder_;
  std::string text_, other_;
};

TEST_F(Killed, Ladder) { expect_same(ladder({"--to", "window:16+2,window:4+2", "--rungs", "4"}), 8); }

TEST_F(Killed, LadderThatIsTrained) {
  expect_same(ladder({"--to", "dual_state", "--rungs", "2", "--train-text", text_, "--train-tokens", "512"}), 7);
}

TEST_F(Killed, Heal) {
  const std::string plan = folder_.plan({full_attention, {MixerKind::window, 8, 2}, full_attention}).string();
  expect_same({"heal", path("model.gguf"), "--plan", plan, "--text", text_, "--tokens", "512", "--length", "64",
               "--batch", "128", "--rank", "2", "--valid-sequences", "1", "--questions", "0"},
              3);
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
               "--prompt",    "16"},
              8);
}

}  // namespace
}  // namespace layerboost
