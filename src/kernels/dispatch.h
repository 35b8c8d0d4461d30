// Which of the compiled instruction levels runs.
#pragma once

#include "base/cpu.h"
#include "kernels/isa/kernels.h"

namespace layerboost {

/// The kernels of one level. Requires: they are called only where the CPU has that level.
const Kernels& kernels_of(Isa isa);

/// The kernels in use: those of best_isa() unless use_isa() has said otherwise.
const Kernels& kernels();

/// Makes kernels() return those of `isa` from now on; for tests. Requires: no kernel is running.
void use_isa(Isa isa);

}  // namespace layerboost
