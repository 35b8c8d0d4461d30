#include "kernels/weight_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <new>

#include "base/memory.h"

namespace layerboost {
namespace {

constexpr std::size_t slab_bytes = 64 * huge_page;  // untouched parts cost nothing

/// Mapped memory that begins at a huge page.
class Slab {
 public:
  explicit Slab(std::size_t bytes) : mapped_(bytes + huge_page), size_(bytes) {
    start_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start_ == MAP_FAILED) throw std::bad_alloc();
    const std::size_t past = reinterpret_cast<std::size_t>(start_) % huge_page;
    data_ = static_cast<std::byte*>(start_) + (past == 0 ? 0 : huge_page - past);
    ::madvise(data_, size_, MADV_HUGEPAGE);
  }
  ~Slab() { ::munmap(start_, mapped_); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// The next `bytes` bytes, or nullptr where they don't fit.
  std::byte* take(std::size_t bytes) {
    if (used_ + bytes > size_) return nullptr;
    std::byte* const part = data_ + used_;
    used_ += bytes;
    return part;
  }

 private:
  std::size_t mapped_, size_, used_ = 0;
  void* start_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace

std::shared_ptr<std::byte> allocate_weights(std::size_t bytes) {
  static std::mutex mutex;
  static std::weak_ptr<Slab> current;  // weak: the weights own it
  const std::size_t rounded = std::max<std::size_t>((bytes + 63) / 64 * 64, 64);
  const std::lock_guard lock(mutex);
  std::shared_ptr<Slab> slab = current.lock();
  std::byte* part = slab ? slab->take(rounded) : nullptr;
  if (part == nullptr) {
    slab = std::make_shared<Slab>(std::max(slab_bytes, (rounded + huge_page - 1) / huge_page * huge_page));
    part = slab->take(rounded);
    current = slab;
  }
  return {slab, part};
}

}  // namespace layerboost
