// How far a long piece of work has come, on stderr.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

namespace layerboost {

/// Shows "LABEL  42 %  1234/2900 UNIT  310 UNIT/s  5 s left". On a terminal one line that is rewritten; elsewhere plain
/// lines, at most one in 10 s and one at the end, and nothing at all for work that took less than 2 s. Thread-safe.
class Progress {
 public:
  /// Where to write and what time it is; the tests give their own.
  struct Output {
    std::FILE* stream;  // nullptr: nowhere
    bool terminal;
    double (*now)();  // seconds from any origin
  };

  /// Writes to stderr, unless lines go elsewhere (base/log.h); of several ranks only the first does. `total` units of
  /// work, each called `unit` ("tokens"); 0 when the number isn't known.
  Progress(std::string label, std::int64_t total, std::string unit);
  Progress(std::string label, std::int64_t total, std::string unit, Output output);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `n` more units are done.
  void advance(std::int64_t n = 1);

  /// Shows `text` at the end of the line from the next drawing on.
  void remark(std::string text);

 private:
  void draw(double now, bool last);
  [[nodiscard]] std::string line(double elapsed) const;

  const std::string label_, unit_;
  const std::int64_t total_;
  const Output output_;
  const double start_;
  std::atomic<std::int64_t> done_ = 0;
  std::mutex mutex_;  // guards what is written, next_draw_'s changes, and remark_
  std::string remark_;
  std::atomic<double> next_draw_;
};

/// About how long something takes: "12 s", "5 min", "1 h 30 min"; "1 s" for less.
std::string duration_text(double seconds);

}  // namespace layerboost
