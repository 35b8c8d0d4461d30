#include "kernels/dispatch.h"

namespace layerboost {
namespace {

const Kernels*& in_use() {
  static const Kernels* kernels = &kernels_of(best_isa());
  return kernels;
}

}  // namespace

const Kernels& kernels_of(Isa isa) {
  static const Kernels levels[] = {{avx2::row_kernels, avx2::logit_kernels, avx2::attention_kernels,
                                    avx2::attention_training_kernels, avx2::linear_kernels},
                                   {avx512::row_kernels, avx512::logit_kernels, avx512::attention_kernels,
                                    avx512::attention_training_kernels, avx512::linear_kernels}};
  return levels[static_cast<int>(isa)];
}

const Kernels& kernels() { return *in_use(); }

void use_isa(Isa isa) { in_use() = &kernels_of(isa); }

}  // namespace layerboost
