// Lines for people on stderr, beside the results on stdout.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace layerboost {

/// From now on each line goes to `handler`, and none to stderr, where no progress is shown any more either: for a
/// program that has the library in it. An empty one drops them. It is called by one thread at a time. Thread-safe.
/// Requires: `handler` doesn't throw.
void redirect_lines(std::function<void(const std::string&)> handler);

/// Whether stderr is the place for lines, and for progress: until redirect_lines() is called.
bool lines_on_stderr();

/// Writes one whole line to stderr, in place of a progress line that may stand there: printable() of `line`, for it may
/// quote a file or a name. Thread-safe.
void print_line(const std::string& line);

/// While it lives, every line is printed as `rewrite` has it: for who calls things by other names than what prints.
/// One at a time. Requires: no other thread prints while it is made or goes.
class LineRewriting {
 public:
  explicit LineRewriting(std::function<std::string(const std::string&)> rewrite);
  ~LineRewriting();
  LineRewriting(const LineRewriting&) = delete;
  LineRewriting& operator=(const LineRewriting&) = delete;
};

/// "layerboost: MESSAGE": what the program does or found.
template <typename... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  print_line("layerboost: " + fmt::format(format, std::forward<Args>(args)...));
}

/// "layerboost: warning: MESSAGE": the program goes on, but the user should know.
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  print_line("layerboost: warning: " + fmt::format(format, std::forward<Args>(args)...));
}

/// A warning that something wasn't foreseen `in` a part of the program, which goes on. Without memory for it, silent.
void warn_unexpected(const char* in, const std::exception& error) noexcept;

}  // namespace layerboost
