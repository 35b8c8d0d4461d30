// Lines for people on stderr, beside the results on stdout.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace layerboost {

/// Writes one whole line to stderr, in place of a progress line that may stand there: printable() of `line`, for it may
/// quote a file or a name. Thread-safe.
void print_line(const std::string& line);

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
