#include "base/error.h"

#include <cstdio>
#include <cstdlib>

#include "base/in_quotes.h"

namespace layerboost {

Error::Error(const std::string& message) : std::runtime_error(printable(message)) {}

void broken_invariant(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "layerboost: internal error: %s does not hold (%s:%d); please report this\n", condition, file,
               line);
  std::abort();
}

}  // namespace layerboost
