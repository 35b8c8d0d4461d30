#include "kernels/activations.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/memory.h"

namespace layerboost {
namespace {

constexpr std::size_t kLine = 64;

}  // namespace

void AlignedBuffer::Release::operator()(std::byte* memory) const {
  if (pages.data() == nullptr) std::free(memory);
}

std::byte* AlignedBuffer::reserve(std::size_t bytes) {
  if (bytes > capacity_) {
    // Growing by half at least keeps slowly rising sizes from allocating every time.
    const std::size_t wanted = (std::max(bytes, capacity_ + capacity_ / 2) + kLine - 1) / kLine * kLine;
    data_ = {};
    capacity_ = 0;
    if (wanted >= huge_page) {
      HugePages pages(wanted);
      std::byte* const memory = pages.data();
      data_ = {memory, {std::move(pages)}};
    } else {
      void* memory = nullptr;
      if (::posix_memalign(&memory, kLine, wanted) != 0) throw std::bad_alloc();
      data_ = {static_cast<std::byte*>(memory), {}};
    }
    capacity_ = wanted;
  }
  return data();
}

void Activations::reshape(int rows, int cols, Precision precision) {
  LB_CHECK(rows >= 0 && cols >= 0);
  rows_ = rows;
  cols_ = cols;
  precision_ = precision;
  const auto padded_rows = static_cast<std::size_t>(rows + spare_rows);
  storage_.reserve(padded_rows * static_cast<std::size_t>(cols) * static_cast<std::size_t>(element_bytes(precision)));
  if (precision == Precision::int8) scales_.reserve_as<float>(padded_rows);
}

}  // namespace layerboost
