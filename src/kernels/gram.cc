#include "kernels/gram.h"

#include <oneapi/dnnl/dnnl.h>

#include "base/error.h"

namespace layerboost {

void add_gram(const float* a, const float* b, int rows, int p, int q, float* sums) {
  LB_CHECK(dnnl_sgemm('T', 'N', p, q, rows, 1.0F, a, p, b, q, 1.0F, sums, q) == dnnl_success);
}

}  // namespace layerboost
