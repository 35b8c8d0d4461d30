#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "cli/run_for_tests.h"
#include "heal/model_for_tests.h"
#include "server/client_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(ServeCommand, AnEmptyKeyIsNotNoKey) {
  const ProgramResult by_flag = run_and_read({"serve", "missing-model", "--api-key", ""});
  EXPECT_EQ(by_flag.code, 2);
  EXPECT_THAT(by_flag.err, HasSubstr("--api-key is empty"));
  ::setenv("LAYERBOOST_API_KEY", "", 1);
  const ProgramResult by_environment = run_and_read({"serve", "missing-model"});
  ::unsetenv("LAYERBOOST_API_KEY");
  EXPECT_EQ(by_environment.code, 2);
  EXPECT_THAT(by_environment.err, HasSubstr("LAYERBOOST_API_KEY is empty"));
}

TEST(ServeCommand, NamesThatWouldFindNothingAreRefused) {
  const auto error = [](std::vector<std::string> names) {
    std::vector<std::string> words = {"serve", "missing-model"};
    for (const std::string& name : names) words.insert(words.end(), {"--name", name});
    const ProgramResult result = run_and_read(words);
    EXPECT_EQ(result.code, 2);
    return result.err;
  };
  EXPECT_THAT(error({""}), HasSubstr("--name is empty"));
  EXPECT_THAT(error({"a", ""}), HasSubstr("--name is empty"));
  EXPECT_THAT(error({"a", "b", "a"}), HasSubstr("--name \"a\" is given twice"));
  EXPECT_THAT(error({"a", "b"}), HasSubstr("missing-model"));
}

/// `layerboost serve` in a process of its own, until the object's end.
class ServingForTests {
 public:
  /// `log`: a file for what it prints, which it has written before the constructor returns.
  ServingForTests(std::vector<std::string> words, const std::string& log) : child_(::fork()) {
    words.insert(words.begin(), "serve");
    if (child_ == 0) {
      ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      ::_exit(run(words));
    }
    for (int i = 0; i < 3000 && said_.find(" ends\n") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (fs::exists(log)) said_ = read_file(log);
    }
  }
  ~ServingForTests() {
    int status = 0;
    ::kill(child_, SIGTERM);
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << said_;
  }
  ServingForTests(const ServingForTests&) = delete;
  ServingForTests& operator=(const ServingForTests&) = delete;

  [[nodiscard]] const std::string& said() const { return said_; }
  [[nodiscard]] Json get(const std::string& path) const {
    const std::string before = "http://127.0.0.1:";
    ClientForTests client(std::atoi(said_.c_str() + said_.find(before) + before.size()));
    client.send("GET", path, "", "");
    return client.read_answer().json();
  }

 private:
  pid_t child_;
  std::string said_;
};

TEST(ServeCommand, AModelMayHaveSeveralNames) {
  const test::HealFolder folder("serve_names");
  const std::string model = folder.path("model.gguf"), log = folder.path("log");
  const auto flags = [&](const std::vector<std::string>& names) {
    std::vector<std::string> words = {model, "--port", "0", "--memory", "64M", "--threads", "1"};
    for (const std::string& name : names) words.insert(words.end(), {"--name", name});
    return words;
  };
  {
    const ServingForTests two(flags({"tiny", "org/small"}), log);
    ASSERT_THAT(two.said(), HasSubstr("tiny (also org/small) is served at http://127.0.0.1:"));
    for (const char* const name : {"tiny", "org/small"})
      EXPECT_EQ(two.get(fmt::format("/v1/models/{}", name))["id"], name);
  }
  fs::remove(log);
  EXPECT_THAT(ServingForTests(flags({"a", "b", "c"}), log).said(), HasSubstr("a (also b, c) is served at http://"));
}

TEST(ServeCommand, SitesAreWrittenAsBrowsersDo) {
  for (const char* const site :
       {"chat.example.org", "https://chat.example.org/", "HTTPS://chat.example.org", "https://"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, HasSubstr("isn't a site")) << site;
  for (const char* const site : {"*", "https://chat.example.org:8443", "http://[::1]:3000"})
    EXPECT_THAT(run_and_read({"serve", "missing", "--allow-origin", site}).err, Not(HasSubstr("isn't a site"))) << site;
}

TEST(ServeCommand, FlagsOfLevelsThatWouldDoNothingAreRefused) {
  const auto error = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"serve", "missing"});
    const ProgramResult result = run_and_read(words);
    EXPECT_NE(result.code, 0);
    return result.err;
  };
  EXPECT_THAT(error({"--levels", "fixed:2", "--caps-by-length"}), HasSubstr("--caps-by-length"));
  EXPECT_THAT(error({"--levels", "per-request", "--ttft", "3"}), HasSubstr("--ttft and --tpot are targets"));
  EXPECT_THAT(error({"--levels", "sometimes"}), HasSubstr("isn't a way to choose levels"));
  EXPECT_THAT(error({"--levels", "auto", "--quality", "0.5"}), HasSubstr("isn't a limit of quality"));
  EXPECT_THAT(error({"--levels", "auto", "--plan", "p.json"}), HasSubstr("--plan: a ladder has its own"));
  EXPECT_THAT(error({"--levels", "auto", "--level", "2"}), HasSubstr("--level"));
  EXPECT_THAT(error({"--levels", "auto"}), HasSubstr("missing"));
}

}  // namespace
}  // namespace layerboost
