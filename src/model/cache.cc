#include "model/cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace layerboost {
namespace {

/// Slabs are taken from the system in multiples of huge pages: blocks of one pool are read in order, and misses of the
/// translation buffer cost as much as the reading.
constexpr std::size_t huge_page = std::size_t{2} << 20;

class Slab {
 public:
  explicit Slab(std::size_t bytes) : bytes_(bytes) {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
    ::madvise(data_, bytes, MADV_HUGEPAGE);
  }
  ~Slab() { ::munmap(data_, bytes_); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

class CachePools::Pool {
 public:
  explicit Pool(std::size_t block_bytes) : block_bytes_((block_bytes + 63) / 64 * 64) {}

  std::byte* take() {
    if (free_.empty()) grow();
    std::byte* const block = free_.back();
    free_.pop_back();
    return block;
  }
  void give_back(std::byte* block) { free_.push_back(block); }
  [[nodiscard]] std::size_t block_bytes() const { return block_bytes_; }

 private:
  void grow() {
    // Double each time up to 32 MiB, so that small uses stay small and large ones take few slabs.
    const std::size_t wanted = std::min(std::max(total_, huge_page), 16 * huge_page);
    const std::size_t bytes = (std::max(wanted, block_bytes_) + huge_page - 1) / huge_page * huge_page;
    slabs_.push_back(std::make_unique<Slab>(bytes));
    total_ += bytes;
    const std::size_t count = bytes / block_bytes_;
    free_.reserve(free_.size() + count);
    for (std::size_t i = count; i-- > 0;) free_.push_back(slabs_.back()->data() + i * block_bytes_);
  }

  std::size_t block_bytes_;
  std::size_t total_ = 0;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<std::byte*> free_;
};

CachePools::CachePools() = default;
CachePools::~CachePools() { LB_CHECK(in_use_ == 0); }

Block CachePools::allocate(std::size_t bytes) {
  auto& pool = pools_[bytes];
  if (!pool) pool = std::make_unique<Pool>(bytes);
  std::byte* const data = pool->take();
  std::memset(data, 0, bytes);
  in_use_ += pool->block_bytes();
  peak_ = std::max(peak_, in_use_);
  return {data, [this, owner = pool.get()](std::byte* block) {
            owner->give_back(block);
            in_use_ -= owner->block_bytes();
          }};
}

void CachePools::make_unique(Block& block, std::size_t bytes) {
  if (block.use_count() == 1) return;
  Block copy = allocate(bytes);
  std::memcpy(copy.get(), block.get(), bytes);
  block = std::move(copy);
}

std::size_t CachePools::bytes_in_use() const { return in_use_; }
std::size_t CachePools::peak_bytes() const { return peak_; }
void CachePools::reset_peak() { peak_ = in_use_; }

}  // namespace layerboost
