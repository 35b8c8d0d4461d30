// What the machine allows for the work of one ThroughputRow.
#pragma once

#include <cstddef>

#include "engine/throughput.h"

namespace layerboost {

struct Roofline {
  double prompt_seconds = 0;            // matrix products of the prompts alone
  double generate_product_seconds = 0;  // matrix products of the generated tokens alone (weights are read)
  double generate_cache_seconds = 0;    // moving what decode_cache_traffic() counts at the measured bandwidth
  double bandwidth = 0;                 // bytes/s of plain reading on all threads
  [[nodiscard]] double generate_seconds() const { return generate_product_seconds + generate_cache_seconds; }
};

/// Bytes of cache that a decode step moves for one sequence of `length` positions: it reads all that is kept of it, and
/// writes back what is changed as a whole (Mixer::rewritten_bytes()). One new position's keys and values don't count.
std::size_t decode_cache_traffic(const MixerList& mixers, int length);

/// Times the products of the layers (those that their mixers use) and of the head.
Roofline measure_roofline(const Model& model, const MixerList& mixers, const ThroughputRow& row);

/// Bytes/s of reading a buffer much larger than the caches on all threads; the best of several passes.
double read_bandwidth();

}  // namespace layerboost
