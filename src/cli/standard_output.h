// Standard output of one run of the program.
#pragma once

#include <cstdio>
#include <string_view>

namespace layerboost {

/// Lives while the program runs; tests run it more than once in a process.
class StandardOutput {
 public:
  StandardOutput() : stdout_(stdout) {}
  ~StandardOutput() { stdout = stdout_; }
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  /// Writes out what is still kept back. The exit code of a run that did its work: 0, or fail()'s.
  [[nodiscard]] static int finish();
  /// The exit code where not all that was printed could be written, for the reason `error` (an errno; 0: unknown): 2,
  /// which a line explains; 141, in silence, where nobody reads any more.
  [[nodiscard]] static int fail(int error);

 private:
  std::FILE* stdout_;
};

/// Prints, and flushes: it is to be seen as the work goes on.
void print_now(std::string_view text);

/// From now on whatever is printed goes to standard error: standard output is for one result alone (--json -).
void print_to_stderr();

}  // namespace layerboost
