// Memory for packed weights.
#pragma once

#include <cstddef>
#include <memory>

namespace layerboost {

/// `bytes` bytes aligned to 64, a part of a slab on huge pages (where the system allows them): decoding reads all
/// weights for each token, and with small pages it waits for address translation as long as for memory. Consecutive
/// allocations lie one after another. The slab lives as long as any of its parts. Thread-safe.
std::shared_ptr<std::byte> allocate_weights(std::size_t bytes);

}  // namespace layerboost
