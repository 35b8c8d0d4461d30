// Memory on huge pages. What is read in order by all threads (weights, caches, rows) costs several percent more on
// small ones: it waits for address translation as long as for memory.
#pragma once

#include <cstddef>
#include <utility>

namespace layerboost {

/// Owns zeroed memory that begins at a huge page and consists of such where the system has some. Parts that nobody has
/// touched take no memory.
class HugePages {
 public:
  HugePages() = default;
  /// `bytes` rounded up to whole huge pages. Throws std::bad_alloc.
  explicit HugePages(std::size_t bytes);
  ~HugePages();
  HugePages(HugePages&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HugePages& operator=(HugePages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }  // bytes

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace layerboost
