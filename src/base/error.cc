#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace layerboost {

void broken_invariant(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "layerboost: internal error: %s does not hold (%s:%d); please report this\n", condition, file,
               line);
  std::abort();
}

}  // namespace layerboost
