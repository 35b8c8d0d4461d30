#include "cli/standard_output.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "base/log.h"

namespace layerboost {

int StandardOutput::finish() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  return fail(errno);
}

int StandardOutput::fail(int error) {
  std::clearerr(stdout);
  if (error == EPIPE) return 128 + SIGPIPE;
  const std::string why = error == 0 ? "" : std::string(": ") + std::strerror(error);  // NOLINT(concurrency-mt-unsafe)
  note("cannot write to standard output{}", why);
  return 2;
}

void print_now(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_to_stderr() {
  std::fflush(stdout);
  stdout = stderr;  // glibc says that it may be set
}

}  // namespace layerboost
