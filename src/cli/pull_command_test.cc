#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "artifact/model_store.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "cli/run_for_tests.h"
#include "net/loopback_server.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::map<std::string, std::string> repository = {
    {"config.json", "{}"},
    {"tokenizer.json", "{\"model\": {}}"},
    {"additional_chat_templates/tool_use.jinja", "{{ messages }}"},
    {"model-00001-of-00002.safetensors", std::string(3000, 'a')},
    {"model-00002-of-00002.safetensors", std::string(2000, 'b')},
    {"model.safetensors.index.json", "{\"weight_map\": {}}"},
    {"onnx/model.onnx", "not wanted"},
    {"README.md", "the card"},
    {"LICENSE.txt", "the licence"},
    {"images/LICENSE", "not wanted"},
    {"name-Q4_0.gguf", "four bits"},
    {"name-Q8_0.gguf", "eight bits"},
};

LoopbackServer::Answer hub(const LoopbackServer::Request& request) {
  if (request.path.starts_with("/api/models/org/huge/"))
    return {200, R"([{"type": "file", "path": "model.safetensors", "size": 35184372088832}])", "", {}};
  if (request.path.starts_with("/api/models/org/name/tree/main")) {
    Json tree = Json::array();
    for (const auto& [path, content] : repository) {
      tree.push_back({{"type", "file"},
                      {"path", path},
                      {"size", content.size()},
                      {"lfs", {{"oid", sha256(content)}, {"size", content.size()}}}});
    }
    return {200, tree.dump(), "", {}};
  }
  const std::string prefix = "/org/name/resolve/main/";
  const auto file =
      request.path.starts_with(prefix) ? repository.find(request.path.substr(prefix.size())) : repository.end();
  if (file == repository.end()) return {404, "", "", {}};
  return {200, file->second, "", {}};
}

class PullCommand : public testing::Test {
 protected:
  PullCommand() {
    fs::remove_all(root_);
    setenv("XDG_CACHE_HOME", root_.c_str(), 1);
    setenv("HF_ENDPOINT", server_.url().c_str(), 1);
    setenv("HF_HOME", (root_ / "hf").c_str(), 1);
    for (const char* variable : {"HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE"}) unsetenv(variable);
  }
  ~PullCommand() override {
    fs::remove_all(root_);
    unsetenv("XDG_CACHE_HOME");
    for (const char* variable : {"HF_ENDPOINT", "HF_HOME", "HF_TOKEN"}) unsetenv(variable);
  }
  int pull(std::vector<std::string> words) {
    words.insert(words.begin(), "pull");
    ProgramResult result = run_and_read(words);
    out_ = std::move(result.out);
    err_ = std::move(result.err);
    return result.code;
  }
  static std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
    return names;
  }

  const fs::path root_ = test::temporary_path("pull_test");
  LoopbackServer server_{hub};
  std::string out_, err_;
};

TEST_F(PullCommand, FetchesWhatAModelNeedsAndNothingTwice) {
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_EQ(out_, store_path("org/name").string() + "\n");
  EXPECT_EQ(find_model("org/name"), store_path("org/name"));
  EXPECT_THAT(names_in(store_path("org/name")),
              testing::UnorderedElementsAre("config.json", "tokenizer.json", "model-00001-of-00002.safetensors",
                                            "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                                            "additional_chat_templates", "README.md", "LICENSE.txt"));
  EXPECT_EQ(read_file(store_path("org/name") / "additional_chat_templates/tool_use.jinja"), "{{ messages }}");
  const std::size_t requests = server_.requests().size();
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_EQ(server_.requests().size(), requests + 1);  // only the list
}

TEST_F(PullCommand, FetchesAgainWhatHasChanged) {
  ASSERT_EQ(pull({"org/name"}), 0);
  write_file(store_path("org/name") / "config.json", "[]");
  ASSERT_EQ(pull({"org/name"}), 0);
  EXPECT_EQ(read_file(store_path("org/name") / "config.json"), "{}");
}

TEST_F(PullCommand, FetchesChosenGgufFilesIntoADirectory) {
  const std::string directory = (root_ / "here").string();
  ASSERT_EQ(pull({"org/name", "--gguf", "*Q8_0.gguf", "-o", directory.c_str()}), 0) << err_;
  EXPECT_THAT(names_in(directory), testing::ElementsAre("name-Q8_0.gguf"));
  EXPECT_EQ(find_model(directory), fs::path(directory) / "name-Q8_0.gguf");
}

TEST_F(PullCommand, DoesNotMixWithWhatAnotherRevisionLeft) {
  write_file(store_path("org/name") / "chat_template.jinja", "{{ messages }}");
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("chat_template.jinja: org/name doesn't list this file; it stays, and counts"));
  write_file(store_path("org/name") / "model.safetensors", "of another revision, and opened before the shards");
  EXPECT_EQ(pull({"org/name"}), 2);
  EXPECT_THAT(err_, HasSubstr("model.safetensors: org/name doesn't list this file; remove it, or give another -o"));
  EXPECT_EQ(pull({"org/name", "--gguf", "*Q8_0.gguf"}), 0);
  EXPECT_THAT(err_, HasSubstr("holds a model in safetensors, too, and stands for that"));
}

TEST_F(PullCommand, WaitsForAnotherAndSaysForWhom) {
  std::string holder;
  std::optional<FileLock> lock = FileLock::take(store_path("org/name") / ".lock", holder);
  ASSERT_TRUE(lock);
  std::thread other([&] {
    while (server_.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock.reset();
  });
  EXPECT_EQ(pull({"org/name"}), 0);
  other.join();
  EXPECT_THAT(err_, HasSubstr(fmt::format("{} is in use by process {}", store_path("org/name").string(), ::getpid())));
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
  EXPECT_TRUE(fs::exists(store_path("org/name") / "config.json"));
}

TEST_F(PullCommand, SendsTheTokenOfHuggingFacesTools) {
  write_file(root_ / "hf/token", "from-the-file\n");
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_EQ(server_.requests().back().authorization, "Bearer from-the-file");
  setenv("HF_TOKEN", "from-the-variable", 1);
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_EQ(server_.requests().back().authorization, "Bearer from-the-variable");
}

TEST_F(PullCommand, ChecksThatTheDiskHasRoom) {
  EXPECT_EQ(pull({"org/huge"}), 2);
  EXPECT_THAT(err_, AllOf(HasSubstr("35184373 MB are to be fetched"), HasSubstr("has room for")));
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(PullCommand, MakesAModelOfADirectoryAtTheEnd) {
  ASSERT_EQ(pull({"org/name"}), 0) << err_;
  EXPECT_THAT(server_.requests().back().path, testing::EndsWith("/config.json"));
}

TEST_F(PullCommand, SaysWhatIsWrong) {
  EXPECT_EQ(pull({"org/name", "--gguf", "*Q2*"}), 2);
  EXPECT_THAT(err_,
              AllOf(HasSubstr("no GGUF file that matches \"*Q2*\""), HasSubstr("name-Q4_0.gguf, name-Q8_0.gguf")));
  EXPECT_EQ(pull({"no-slash"}), 2);
  EXPECT_THAT(err_, HasSubstr("expected ORG/NAME"));
  EXPECT_EQ(pull({"org/other"}), 2);
  EXPECT_THAT(err_, HasSubstr("has no model org/other"));
  write_file(root_ / "file", "");
  EXPECT_EQ(pull({"org/name", "-o", (root_ / "file").string()}), 2);
  EXPECT_THAT(err_, HasSubstr("is a file; a directory is wanted"));
}

}  // namespace
}  // namespace layerboost
