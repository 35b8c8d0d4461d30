#include "kernels/weight_memory.h"

#include <algorithm>
#include <mutex>

#include "base/memory.h"
#include "kernels/huge_pages.h"

namespace layerboost {
namespace {

constexpr std::size_t chunk_bytes = 64 * huge_page;  // untouched parts cost nothing

/// Huge pages from which parts are taken one after another.
class WeightChunk {
 public:
  explicit WeightChunk(std::size_t bytes) : pages_(bytes) {}

  /// The next `bytes` bytes, or nullptr where they don't fit.
  std::byte* take(std::size_t bytes) {
    if (used_ + bytes > pages_.size()) return nullptr;
    std::byte* const part = pages_.data() + used_;
    used_ += bytes;
    return part;
  }

 private:
  HugePages pages_;
  std::size_t used_ = 0;
};

}  // namespace

std::shared_ptr<std::byte> allocate_weights(std::size_t bytes) {
  static std::mutex mutex;
  static std::weak_ptr<WeightChunk> current;  // weak: the weights own it
  const std::size_t rounded = std::max<std::size_t>((bytes + 63) / 64 * 64, 64);
  const std::lock_guard lock(mutex);
  std::shared_ptr<WeightChunk> chunk = current.lock();
  std::byte* part = chunk ? chunk->take(rounded) : nullptr;
  if (part == nullptr) {
    chunk = std::make_shared<WeightChunk>(std::max(chunk_bytes, rounded));
    part = chunk->take(rounded);
    current = chunk;
  }
  return {chunk, part};
}

}  // namespace layerboost
