#include "kernels/dispatch.h"

namespace layerboost {
namespace {

const Kernels*& in_use() {
  static const Kernels* kernels = &kernels_of(best_isa());
  return kernels;
}

}  // namespace

const Kernels& kernels_of(Isa isa) {
#define LB_KERNELS_OF(level)                                                                               \
  {                                                                                                        \
    level::row_kernels, level::logit_kernels, level::attention_kernels, level::attention_training_kernels, \
        level::linear_kernels, level::low_rank_kernels, level::training_row_kernels, level::panel_kernels  \
  }
  static const Kernels levels[] = {LB_KERNELS_OF(avx2), LB_KERNELS_OF(avx512)};  // by Isa
#undef LB_KERNELS_OF
  return levels[static_cast<int>(isa)];
}

const Kernels& kernels() { return *in_use(); }

void use_isa(Isa isa) { in_use() = &kernels_of(isa); }

}  // namespace layerboost
