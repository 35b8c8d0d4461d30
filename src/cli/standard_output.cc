#include "cli/standard_output.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/log.h"

namespace layerboost {

int StandardOutput::finish() const {
  errno = 0;
  if (std::fflush(stdout_) == 0 && std::ferror(stdout_) == 0) return 0;
  const int why = errno;
  std::clearerr(stdout_);
  if (why == EPIPE) return 128 + SIGPIPE;
  note("cannot write to standard output{}{}", why == 0 ? "" : ": ",
       why == 0 ? "" : std::strerror(why));  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known codes
  return 2;
}

void print_to_stderr() {
  std::fflush(stdout);
  stdout = stderr;  // glibc says that it may be set
}

}  // namespace layerboost
