#include "app/compute_options.h"

#include "base/cpu.h"

namespace layerboost {

RunInfo start_run(const ComputeOptions& options) {
  best_isa();  // says so at once when the CPU is too old
  RunInfo run;
  run.threads = use_threads(options.threads);
  run.seed = options.seed;
  if (options.kv == KvType::int8) run.kv = "int8";
  run.precision = name_of(options.precision);
  return run;
}

}  // namespace layerboost
