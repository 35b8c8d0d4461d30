// Errors of two kinds: the user's (Error, of the library's face: one line, exit code 2) and ours (LB_CHECK: a broken
// invariant, aborts).
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "layerboost/error.h"

namespace layerboost {

/// Throws Error with the formatted message.
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// The user asked to stop (SIGINT or SIGTERM); thrown at points where nothing is lost. `what()` says how to go on. Exit
/// code 130.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(const std::string& message) : std::runtime_error(message) {}
};

/// Prints the broken invariant to stderr and aborts.
[[noreturn]] void broken_invariant(const char* condition, const char* file, int line);

}  // namespace layerboost

/// An invariant of the program; checked in release builds too.
#define LB_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::layerboost::broken_invariant(#condition, __FILE_NAME__, __LINE__))
