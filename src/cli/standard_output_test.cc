#include "cli/standard_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "artifact/plan.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

/// Standard output is another file while it lives.
class Redirected {
 public:
  explicit Redirected(int to) {
    std::fflush(stdout);
    kept_ = Descriptor(::dup(STDOUT_FILENO));
    ::dup2(to, STDOUT_FILENO);
  }
  ~Redirected() {
    std::fflush(stdout);
    ::dup2(kept_.get(), STDOUT_FILENO);
  }

 private:
  Descriptor kept_;
};

ProgramResult run_into(int to, const std::vector<std::string>& words) {
  testing::internal::CaptureStderr();
  int code = 0;
  {
    const Redirected redirected(to);
    code = run(words);
  }
  return {code, "", testing::internal::GetCapturedStderr()};
}

TEST(StandardOutput, ThatIsFullIsNoSuccess) {
  const Descriptor full(::open("/dev/full", O_WRONLY));
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{}, {"--help"}, {"--version"}, {"eval", "--help"}}) {
    const ProgramResult result = run_into(full.get(), words);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, testing::StartsWith("layerboost: cannot write to standard output"));
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1);
  }
  const fs::path plan = test::temporary_path("large_plan.json");
  Plan large;  // what is printed of it doesn't wait for the end
  large.layers.resize(5000, {{MixerKind::softmax, 0, 0}, {}});
  write_plan(plan, large);
  EXPECT_EQ(run_into(full.get(), {"info", plan.string()}).code, 2);
  fs::remove(plan);
  const Descriptor closed(
      ::open("/dev/null", O_RDONLY));  // as what prepare_process() puts in the place of a closed one
  EXPECT_EQ(run_into(closed.get(), {"--version"}).code, 2);
}

TEST(StandardOutput, ThatNobodyReadsEndsInSilence) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  const Descriptor pipe(ends[1]);
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  const ProgramResult result = run_into(pipe.get(), {"--help"});
  std::signal(SIGPIPE, old);
  EXPECT_EQ(result.code, 141);
  EXPECT_EQ(result.err, "");
}

TEST(StandardOutput, HoldsTheJsonAloneWhereThatIsAskedFor) {
  const fs::path plan = test::temporary_path("standard_output.json");
  Plan written;
  written.model_name = "small\x1b[2J";
  written.layers = {{{MixerKind::softmax, 0, 0}, {}}};
  write_plan(plan, written);
  const ProgramResult both = run_and_read({"info", plan.string(), "--json", "-"});
  EXPECT_EQ(both.code, 0);
  EXPECT_EQ(parse_json(both.out, "stdout")["plan"]["mixers"].size(), 1U);
  EXPECT_THAT(both.err, HasSubstr("small\\x1b[2J"));
  EXPECT_FALSE(fs::exists("-"));
  const ProgramResult plain = run_and_read({"info", plan.string()});  // the same process prints as before
  EXPECT_THAT(plain.out, HasSubstr("small\\x1b[2J"));
  EXPECT_EQ(plain.err, "");
  fs::remove(plan);
}

}  // namespace
}  // namespace layerboost
