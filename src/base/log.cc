#include "base/log.h"

#include <unistd.h>

#include <cstdio>

#include "base/in_quotes.h"

namespace layerboost {
namespace {

std::function<std::string(const std::string&)>& rewriting() {
  static std::function<std::string(const std::string&)> current;
  return current;
}

}  // namespace

LineRewriting::LineRewriting(std::function<std::string(const std::string&)> rewrite) {
  rewriting() = std::move(rewrite);
}

LineRewriting::~LineRewriting() { rewriting() = nullptr; }

void print_line(const std::string& line) {
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
