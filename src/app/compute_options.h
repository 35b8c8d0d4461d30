// How a job computes, and the run object that says so.
#pragma once

#include <cstdint>

#include "base/run_info.h"
#include "kernels/kv_segment.h"
#include "kernels/precision.h"

namespace layerboost {

struct ComputeOptions {
  int threads = 0;  // 0: one per core
  Precision precision = Precision::bf16;
  KvType kv = KvType::bf16;
  std::uint64_t seed = 0;  // of everything random
};

/// Begins a job: checks the CPU, sets OpenMP's threads, and starts the clock of the `run` object, with everything but
/// the hashes of model and plan. Throws Error.
RunInfo start_run(const ComputeOptions& options);

}  // namespace layerboost
