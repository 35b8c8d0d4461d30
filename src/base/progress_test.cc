#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace layerboost {
namespace {

using testing::HasSubstr;

std::atomic<double> fake_time = 0;

/// What a Progress writes into a file while the time is ours.
class Recorder {
 public:
  explicit Recorder(bool terminal) : output_{std::tmpfile(), terminal, [] { return fake_time.load(); }} {
    fake_time = 100;
  }
  ~Recorder() { std::fclose(output_.stream); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  [[nodiscard]] Progress::Output output() const { return output_; }
  [[nodiscard]] std::string text() const {
    std::rewind(output_.stream);
    std::string result;
    for (int c = 0; (c = std::fgetc(output_.stream)) != EOF;) result += static_cast<char>(c);
    return result;
  }

 private:
  Progress::Output output_;
};

TEST(Progress, SaysNothingOfShortWorkOutsideATerminal) {
  const Recorder recorder(false);
  {
    Progress progress("reading", 10, "files", recorder.output());
    for (int i = 0; i < 10; ++i) progress.advance();
    fake_time = 101.9;
  }
  EXPECT_EQ(recorder.text(), "");
}

TEST(Progress, WritesPlainLinesEveryTenSecondsAndOneAtTheEnd) {
  const Recorder recorder(false);
  {
    Progress progress("reading", 30, "files", recorder.output());
    for (int i = 0; i < 30; ++i) {
      fake_time = fake_time + 1;
      progress.advance();
    }
  }
  EXPECT_EQ(recorder.text(),
            "reading   33 %  10/30 files  1.0 files/s  20 s left\n"
            "reading   66 %  20/30 files  1.0 files/s  10 s left\n"
            "reading  100 %  30/30 files  1.0 files/s  30 s\n");
}

TEST(Progress, RewritesOneLineOnATerminal) {
  const Recorder recorder(true);
  {
    Progress progress("healing", 2000000, "tokens", recorder.output());
    fake_time = 101;
    progress.advance(10000);
    progress.advance(10000);  // too soon for another line
  }
  EXPECT_EQ(recorder.text(),
            "\r\033[Khealing    0 %  10.0 k/2.0 M tokens  10.0 k tokens/s  3 min 19 s left"
            "\r\033[Khealing    1 %  20.0 k/2.0 M tokens  20.0 k tokens/s  99 s left\n");
}

TEST(Progress, WorksWithoutATotal) {
  const Recorder recorder(false);
  {
    Progress progress("reading", 0, "lines", recorder.output());
    progress.advance(500);
    fake_time = 110;
  }
  EXPECT_EQ(recorder.text(), "reading  500 lines  50 lines/s  10 s\n");
}

TEST(Progress, CountsFromManyThreads) {
  const Recorder recorder(false);
  {
    Progress progress("work", 40000, "items", recorder.output());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10000; ++i) {
          progress.advance();
          if (i % 1000 == 0) fake_time = fake_time.load() + 3;
        }
      });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_THAT(recorder.text(), HasSubstr("work  100 %  40.0 k/40.0 k items"));
}

TEST(Progress, DurationsAreRounded) {
  EXPECT_EQ(duration_text(0.2), "1 s");
  EXPECT_EQ(duration_text(59), "59 s");
  EXPECT_EQ(duration_text(89), "1 min");
  EXPECT_EQ(duration_text(12 * 60 + 3600), "1 h 12 min");
}

}  // namespace
}  // namespace layerboost
