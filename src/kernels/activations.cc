#include "kernels/activations.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "base/memory.h"

namespace layerboost {
namespace {

constexpr std::size_t kLine = 64;
// Products may round the number of rows up by so many.
constexpr int kSpareRows = 16;

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
    data_.reset();
    capacity_ = 0;
    void* memory = nullptr;
    if (::posix_memalign(&memory, wanted < huge_page ? kLine : huge_page, wanted) != 0) throw std::bad_alloc();
    data_.reset(static_cast<std::byte*>(memory));
    capacity_ = wanted;
    // Rows are read in order by all threads: with small pages, misses of the translation buffer cost several percent.
    if (wanted >= huge_page) ::madvise(memory, wanted / huge_page * huge_page, MADV_HUGEPAGE);
  }
  return data_.get();
}

void Activations::reshape(int rows, int cols, Precision precision) {
  LB_CHECK(rows >= 0 && cols >= 0);
  rows_ = rows;
  cols_ = cols;
  precision_ = precision;
  const auto padded_rows = static_cast<std::size_t>(rows + kSpareRows);
  storage_.reserve(padded_rows * static_cast<std::size_t>(cols) * element_bytes(precision));
  if (precision == Precision::int8) scales_.reserve_as<float>(padded_rows);
}

}  // namespace layerboost
