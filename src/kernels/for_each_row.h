// Rows shared out among threads.
#pragma once

#include <omp.h>

#include <cstddef>

namespace layerboost {

/// Calls body(row) for each row, on several threads where rows * cols is worth it: starting them costs about 3 us, and
/// a core handles some numbers per ns.
template <typename Body>
void for_each_row(int rows, int cols, const Body& body) {
  constexpr std::ptrdiff_t worth_threads = 1 << 16;
  const bool parallel = rows > 1 && static_cast<std::ptrdiff_t>(rows) * cols >= worth_threads;
#pragma omp parallel for schedule(static) if (parallel)
  for (int i = 0; i < rows; ++i) body(i);
}

}  // namespace layerboost
