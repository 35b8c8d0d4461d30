#include "base/log.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "base/in_quotes.h"

namespace layerboost {
namespace {

std::function<std::string(const std::string&)>& rewriting() {
  static std::function<std::string(const std::string&)> current;
  return current;
}

/// Where lines go in place of stderr, once redirect_lines() was called.
struct Redirection {
  std::mutex mutex;
  std::optional<std::function<void(const std::string&)>> handler;
};

Redirection& redirection() {
  static Redirection only;
  return only;
}

}  // namespace

LineRewriting::LineRewriting(std::function<std::string(const std::string&)> rewrite) {
  rewriting() = std::move(rewrite);
}

LineRewriting::~LineRewriting() { rewriting() = nullptr; }

void redirect_lines(std::function<void(const std::string&)> handler) {
  const std::lock_guard lock(redirection().mutex);
  redirection().handler = std::move(handler);
}

bool lines_on_stderr() {
  const std::lock_guard lock(redirection().mutex);
  return !redirection().handler;
}

void print_line(const std::string& line) {
  {
    const std::lock_guard lock(redirection().mutex);
    if (const auto& handler = redirection().handler) {
      if (*handler) (*handler)(printable(line));
      return;
    }
  }
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const std::string text = (terminal ? "\r\033[K" : "") + printable(rewriting() ? rewriting()(line) : line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void warn_unexpected(const char* in, const std::exception& error) noexcept {
  try {
    warn("unexpected error in {}: {}", in, error.what());
  } catch (const std::exception&) {  // there is nothing left to do
  }
}

}  // namespace layerboost
