// What went wrong with a request, in OpenAI's format.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "server/http.h"

namespace layerboost {

/// {"error": {"message", "type", "param", "code"}} with a status; the message says what would be right.
class ApiError : public std::runtime_error {
 public:
  ApiError(int status, std::string type, const std::string& message, std::string param = "", std::string code = "")
      : std::runtime_error(message),
        status_(status),
        type_(std::move(type)),
        param_(std::move(param)),
        code_(std::move(code)) {}

  /// Adds a header to the answer.
  ApiError&& with(std::string name, std::string value) && {
    headers_.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] HttpAnswer answer() const;

 private:
  int status_;
  std::string type_, param_, code_;  // param, code: null where empty
  HttpHeaders headers_;
};

/// Throws a 400 about `param` (a field's name; empty: none in particular).
template <typename... Args>
[[noreturn]] void refuse(const std::string& param, fmt::format_string<Args...> format, Args&&... args) {
  throw ApiError(400, "invalid_request_error", fmt::format(format, std::forward<Args>(args)...), param);
}

}  // namespace layerboost
