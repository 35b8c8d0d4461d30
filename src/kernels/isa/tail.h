// The last few numbers of a row whose length isn't a multiple of the vector's.
#pragma once

#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

template <typename T>
struct Tail {
  T values[kLanes];
};

/// The `count` < kLanes numbers from p on, then `filling`.
template <typename T>
inline Tail<T> tail_of(const T* p, int count, T filling = T{}) {
  Tail<T> tail;
  for (int i = 0; i < kLanes; ++i) tail.values[i] = i < count ? p[i] : filling;
  return tail;
}

template <typename T>
inline void put_tail(const Tail<T>& tail, int count, T* p) {
  for (int i = 0; i < count; ++i) p[i] = tail.values[i];
}

}  // namespace
}  // namespace layerboost::LB_ISA
