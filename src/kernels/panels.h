// Matrix products of our own, for CPUs that oneDNN's aren't right for: weights in panels of 16 outputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/activations.h"
#include "kernels/precision.h"
#include "kernels/scratch.h"

namespace layerboost {

/// Bytes of the panels of a weight [out, in].
std::size_t panel_bytes(std::int64_t out, std::int64_t in, Precision precision);

/// Rewrites a weight [out, in] as panels. Requires: in <= 2^17 under int8.
void pack_panels(const std::byte* weight, std::int64_t out, std::int64_t in, Precision precision, std::byte* panels);

/// y [n, out] = x W^T with sums in f32 and exact ones of int8, times channel_scales [out] under int8 (unused
/// otherwise). A row's result depends neither on the other rows nor on the number of threads.
void multiply_panels(const Activations& x, const std::byte* panels, std::int64_t out, const float* channel_scales,
                     float* y, KernelScratch& scratch);

}  // namespace layerboost
