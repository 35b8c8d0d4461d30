// Errors of two kinds, and a request to stop. An Error (layerboost/error.h) is the user's: what was given is wrong or
// can't be had. fail() throws it with one line that says what is wrong, where, and what would be right; a command then
// ends with exit code 2, a server answers with it and goes on. A broken invariant is ours: LB_CHECK says which, and
// aborts, in release builds too. No input alone can bring that about; a call that breaks a `Requires:` can. Interrupted
// says that the user asked to stop. Memory that can't be had is std::bad_alloc, as ever.
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
