#include "kernels/activations.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "base/memory.h"

namespace layerboost {
namespace {

constexpr std::size_t kLine = 64;

std::size_t element_bytes(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return 4;
    case Precision::bf16:
      return 2;
    case Precision::int8:
      return 1;
  }
  LB_CHECK(false);
}

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* p) const { std::free(p); }

std::byte* AlignedBuffer::reserve(std::size_t bytes) {
  if (bytes > capacity_) {
    // Growing by half at least keeps slowly rising sizes from allocating every time.
    const std::size_t wanted = (std::max(bytes, capacity_ + capacity_ / 2) + kLine - 1) / kLine * kLine;
    small_.reset();
    large_ = HugePages();
    capacity_ = 0;
    if (wanted >= huge_page) {
      large_ = HugePages(wanted);
    } else {
      void* memory = nullptr;
      if (::posix_memalign(&memory, kLine, wanted) != 0) throw std::bad_alloc();
      small_.reset(static_cast<std::byte*>(memory));
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
  storage_.reserve(padded_rows * static_cast<std::size_t>(cols) * element_bytes(precision));
  if (precision == Precision::int8) scales_.reserve_as<float>(padded_rows);
}

}  // namespace layerboost
