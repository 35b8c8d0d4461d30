#include "model/cache.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/huge_pages.h"

namespace layerboost {
namespace {

// Slabs are whole huge pages: blocks of one pool are read in order, and misses of the translation buffer cost as much
// as the reading.
constexpr std::size_t blocks_per_slab = 16;  // at least

std::size_t rounded_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Memory for blocks of one size.
class Slab {
 public:
  Slab(std::size_t bytes, std::size_t block_bytes) : pages_(bytes), blocks_(bytes / block_bytes) {
    free_.reserve(blocks_);
    for (std::size_t i = blocks_; i-- > 0;) free_.push_back(pages_.data() + i * block_bytes);
  }

  std::byte* take() {
    std::byte* const block = free_.back();
    free_.pop_back();
    return block;
  }
  void give_back(std::byte* block) { free_.push_back(block); }
  [[nodiscard]] bool full() const { return free_.empty(); }
  [[nodiscard]] bool unused() const { return free_.size() == blocks_; }
  [[nodiscard]] const std::byte* data() const { return pages_.data(); }

 private:
  HugePages pages_;
  std::size_t blocks_;
  std::vector<std::byte*> free_;
};

}  // namespace

class CachePools::Pool {
 public:
  explicit Pool(std::size_t block_bytes)
      : block_bytes_(rounded_up(block_bytes, 64)), slab_bytes_(rounded_up(block_bytes_ * blocks_per_slab, huge_page)) {}

  std::pair<Slab*, std::byte*> take() {
    if (with_room_.empty()) grow();
    Slab* const slab = with_room_.begin()->second;
    std::byte* const block = slab->take();
    if (slab->full()) with_room_.erase(with_room_.begin());
    return {slab, block};
  }
  void give_back(Slab* slab, std::byte* block) {
    if (slab->full()) with_room_.emplace(slab->data(), slab);
    slab->give_back(block);
  }
  void release_unused() {
    std::erase_if(with_room_, [](const auto& entry) { return entry.second->unused(); });
    std::erase_if(slabs_, [](const auto& slab) { return slab->unused(); });
  }
  [[nodiscard]] std::size_t block_bytes() const { return block_bytes_; }
  [[nodiscard]] std::size_t reserved() const { return slabs_.size() * slab_bytes_; }

 private:
  void grow() {
    slabs_.push_back(std::make_unique<Slab>(slab_bytes_, block_bytes_));
    with_room_.emplace(slabs_.back()->data(), slabs_.back().get());
  }

  std::size_t block_bytes_, slab_bytes_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::map<const std::byte*, Slab*> with_room_;  // by address
};

/// What happens to a block when the last holder lets go.
struct CachePools::GiveBack {
  CachePools* pools;
  Pool* pool;
  Slab* slab;
  void operator()(std::byte* block) const {
    pool->give_back(slab, block);
    pools->in_use_ -= pool->block_bytes();
  }
};

CachePools::CachePools() = default;
CachePools::~CachePools() { LB_CHECK(in_use_ == 0); }

Block CachePools::allocate(std::size_t bytes) {
  auto& pool = pools_[bytes];
  if (!pool) pool = std::make_unique<Pool>(bytes);
  const auto [slab, data] = pool->take();
  std::memset(data, 0, bytes);
  in_use_ += pool->block_bytes();
  peak_ = std::max(peak_, in_use_);
  return {data, GiveBack{this, pool.get(), slab}};
}

void CachePools::make_unique(Block& block, std::size_t bytes) {
  if (block.use_count() == 1) return;
  Block copy = allocate(bytes);
  std::memcpy(copy.get(), block.get(), bytes);
  block = std::move(copy);
}

void CachePools::release_unused() {
  for (const auto& [size, pool] : pools_) pool->release_unused();
}

std::size_t CachePools::block_bytes(const Block& block) {
  return std::get_deleter<GiveBack>(block)->pool->block_bytes();
}

std::size_t CachePools::bytes_reserved() const {
  std::size_t bytes = 0;
  for (const auto& [size, pool] : pools_) bytes += pool->reserved();
  return bytes;
}

std::size_t CachePools::bytes_in_use() const { return in_use_; }
std::size_t CachePools::peak_bytes() const { return peak_; }

}  // namespace layerboost
