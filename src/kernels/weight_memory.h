// Memory for packed weights.
#pragma once

#include <cstddef>
#include <memory>

namespace layerboost {

/// `bytes` bytes aligned to 64, a part of a chunk of HugePages: decoding reads all weights for each token.
/// Consecutive allocations lie one after another. The chunk lives as long as any of its parts. Thread-safe.
std::shared_ptr<std::byte> allocate_weights(std::size_t bytes);

}  // namespace layerboost
