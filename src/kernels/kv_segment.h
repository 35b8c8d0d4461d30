// What attention is told of cached keys and values: in which numbers they are kept (KvType), where they lie in a block
// (KvPart), and which slots of a block the queries of a sequence see (KvSegment). How a block as a whole is laid out is
// in KvLayout (kernels/attention.h). Whose blocks they are, pages or a ring, only mixers know.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/precision.h"
#include "layerboost/types.h"

namespace layerboost {

/// "f32", "bf16", "int8".
constexpr const char* name_of(KvType type) {
  switch (type) {
    case KvType::f32:
      return "f32";
    case KvType::bf16:
      return "bf16";
    default:
      return "int8";
  }
}

/// What `wanted` becomes beside matrix products of this precision: f32 there is the reference, for keys and values too.
constexpr KvType kept_as(KvType wanted, Precision precision) {
  return wanted == KvType::bf16 && precision == Precision::f32 ? KvType::f32 : wanted;
}

/// Where the keys, or the values, of a block's heads lie, in bytes for each slot that the block has: of head g, the
/// numbers begin at slots * (g * stride + data), and the slots' scales (int8) at slots * (g * stride + scales).
struct KvPart {
  int head_size = 0;
  int stride = 0, data = 0, scales = 0;
};

/// Some consecutive slots of a block of keys and values (see KvLayout), seen by the queries of one sequence. Values may
/// lie in a block of their own, in the same slots.
struct KvSegment {
  const std::byte* block = nullptr;
  int slots = 0;                            // of the block's layout (the other fields of the layout are common)
  int count = 0;                            // slots 0 .. count-1 are filled
  int first_position = 0;                   // of slot 0, the others following, unless
  const std::int32_t* positions = nullptr;  // [count]: each slot's position, in any order; a negative one is never seen
  bool pinned = false;                      // sinks: seen however far back
  const std::byte* values = nullptr;        // the values' own block; nullptr: they lie in `block`
};

}  // namespace layerboost
