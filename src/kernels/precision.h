// The names of the precisions that matrix products are computed in. The type itself is the library's, for it is an
// option of other programs, too; what a precision means for operands is in kernels/activations.h.
#pragma once

#include "layerboost/types.h"

namespace layerboost {

/// The word that users write: "f32", "bf16", "int8".
constexpr const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
    default:
      return "int8";
  }
}

/// Bytes of an operand's number.
constexpr int element_bytes(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return 4;
    case Precision::bf16:
      return 2;
    default:
      return 1;
  }
}

}  // namespace layerboost
