// The errors that the library throws. An Error is about what it was given, or can't get: a file, an option, a plan, a
// request. Its one line is for people; there are no codes. QueueFull is the one that programs tell apart, for the same
// request may be taken later. Beside these only std::bad_alloc is thrown. A call that breaks a `Requires:` isn't
// answered with an error: it may end the process.
#pragma once

#include <stdexcept>
#include <string>

#include "layerboost/export.h"

namespace layerboost {

/// Something that was given is wrong, or can't be had: a file, an option, a plan, a request. `what()` is one line that
/// says what is wrong, where, and what would be right. Whatever was called has had no effect.
class LAYERBOOST_API Error : public std::runtime_error {
 public:
  /// what() is `message` without control characters and bytes that aren't UTF-8, for it may quote a file.
  explicit Error(const std::string& message);
};

/// Thrown where a request would be one too many to wait: try again later.
class LAYERBOOST_API QueueFull : public Error {
 public:
  using Error::Error;
};

}  // namespace layerboost
