#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/ranks.h"

namespace layerboost {
namespace {

constexpr double terminal_interval = 0.1, plain_interval = 10, worth_a_line = 2;  // seconds

double seconds_since_start() {
  static const Stopwatch clock;
  return clock.seconds();
}

/// "1.2 M", "310", "4.5": three digits are enough for people.
std::string short_number(double x) {
  if (x >= 1e9) return fmt::format("{:.1f} G", x / 1e9);
  if (x >= 1e6) return fmt::format("{:.1f} M", x / 1e6);
  if (x >= 1e4) return fmt::format("{:.1f} k", x / 1e3);
  return x >= 10 ? fmt::format("{:.0f}", x) : fmt::format("{:.1f}", x);
}

std::string short_count(std::int64_t n) {
  return n < 10000 ? fmt::format("{}", n) : short_number(static_cast<double>(n));
}

std::string short_time(double seconds) {
  const auto s = static_cast<std::int64_t>(std::ceil(seconds));
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
}

}  // namespace

Progress::Progress(std::string label, std::int64_t total, std::string unit)
    : Progress(std::move(label), total, std::move(unit),
               {lines_on_stderr() && Ranks::world().first() ? stderr : nullptr, ::isatty(STDERR_FILENO) == 1,
                seconds_since_start}) {}

Progress::Progress(std::string label, std::int64_t total, std::string unit, Output output)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      output_(output),
      start_(output.now()),
      next_draw_(start_ + (output.terminal ? terminal_interval : plain_interval)) {}

Progress::~Progress() {
  const std::lock_guard lock(mutex_);
  const double now = output_.now();
  if (output_.terminal || now - start_ >= worth_a_line) draw(now, true);
}

void Progress::advance(std::int64_t n) {
  const std::int64_t done = done_ += n;
  if (done == total_ && !output_.terminal) return;  // the destructor writes the last line
  const double now = output_.now();
  if (now < next_draw_) return;
  const std::lock_guard lock(mutex_);
  if (now < next_draw_) return;  // another thread has just drawn
  draw(now, false);
  next_draw_ = now + (output_.terminal ? terminal_interval : plain_interval);
}

void Progress::remark(std::string text) {
  const std::lock_guard lock(mutex_);
  remark_ = std::move(text);
}

void Progress::draw(double now, bool last) {
  if (output_.stream == nullptr) return;
  const std::string text = line(now - start_) + (remark_.empty() ? "" : "  " + remark_);
  if (output_.terminal)
    fmt::print(output_.stream, "\r\033[K{}{}", text, last ? "\n" : "");
  else
    fmt::print(output_.stream, "{}\n", text);
  std::fflush(output_.stream);
}

std::string Progress::line(double elapsed) const {
  const std::int64_t done = done_;
  const double rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  std::string text = label_;
  if (total_ > 0) {
    const std::int64_t percent = std::min<std::int64_t>(100, done * 100 / total_);
    text += fmt::format("  {:3} %  {}/{} {}", percent, short_count(done), short_count(total_), unit_);
  } else {
    text += fmt::format("  {} {}", short_count(done), unit_);
  }
  if (rate > 0) text += fmt::format("  {} {}/s", short_number(rate), unit_);
  if (total_ > done && rate > 0)
    return text + fmt::format("  {} left", short_time(static_cast<double>(total_ - done) / rate));
  return text + fmt::format("  {}", short_time(elapsed));
}

std::string duration_text(double seconds) {
  if (seconds < 1) return "1 s";
  if (seconds < 59.5) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<std::int64_t>(std::llround(seconds / 60));
  return minutes < 60 ? fmt::format("{} min", minutes) : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

}  // namespace layerboost
