#include "base/spinning.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace layerboost {

void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  // The program is run by its own name, as `ps` shows it, not as /proc/self/exe.
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (unknown || ::setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return;
  ::execv(program.c_str(), argv);
}

}  // namespace layerboost
