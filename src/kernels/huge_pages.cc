#include "kernels/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "base/memory.h"

namespace layerboost {

HugePages::HugePages(std::size_t bytes) : size_((bytes + huge_page - 1) / huge_page * huge_page) {
  // The system doesn't align to huge pages by itself: take more, and give back what lies before and behind.
  void* const memory =
      ::mmap(nullptr, size_ + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(memory);
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
  data_ = begin + before;
  if (before > 0) ::munmap(begin, before);
  ::munmap(data_ + size_, huge_page - before);
  ::madvise(data_, size_, MADV_HUGEPAGE);
}

HugePages::~HugePages() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace layerboost
