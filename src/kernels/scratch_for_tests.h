// For tests: memory for kernels to compute in.
#pragma once

#include "kernels/scratch.h"

namespace layerboost::test {

/// One for all tests of a program, so that a kernel finds in it what others have left there.
inline KernelScratch& scratch() {
  static KernelScratch memory;
  return memory;
}

}  // namespace layerboost::test
