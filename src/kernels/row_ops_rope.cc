// The table of RoPE's cosines and sines.
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/row_ops.h"

namespace layerboost {

struct RopeTable::Impl {
  std::vector<double> frequencies, second;  // [n], d/2 for each kind of layer
  int second_from = 0;
  double factor = 1;
  std::vector<float> cosines, sines;  // [size, n]
  int size = 0;
};

RopeTable::RopeTable(std::span<const double> frequencies, double factor, std::span<const double> second,
                     int second_from)
    : impl_(new Impl) {
  impl_->frequencies.assign(frequencies.begin(), frequencies.end());
  impl_->second.assign(second.begin(), second.end());
  impl_->second_from = second.empty() ? std::numeric_limits<int>::max() : second_from;
  impl_->factor = factor;
}

RopeTable::~RopeTable() { delete impl_; }

RopeTable::RopeTable(RopeTable&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}

RopeTable& RopeTable::operator=(RopeTable&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

void RopeTable::grow(int positions) {
  Impl& table = *impl_;
  if (positions <= table.size) return;
  const int wanted = std::max(positions, 2 * table.size);
  const std::size_t half = table.frequencies.size();
  table.cosines.resize(static_cast<std::size_t>(wanted) * half);
  table.sines.resize(static_cast<std::size_t>(wanted) * half);
  for (int position = table.size; position < wanted; ++position) {
    const bool first = position < table.second_from;
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = first ? position * table.frequencies[i] : (position - table.second_from) * table.second[i];
      const double factor = table.frequencies[i] == 0 ? 1 : table.factor;
      table.cosines[static_cast<std::size_t>(position) * half + i] = static_cast<float>(factor * std::cos(angle));
      table.sines[static_cast<std::size_t>(position) * half + i] = static_cast<float>(factor * std::sin(angle));
    }
  }
  table.size = wanted;
}

const float* RopeTable::cosines(int position) const {
  LB_CHECK(position >= 0 && position < impl_->size);
  return impl_->cosines.data() + static_cast<std::size_t>(position) * impl_->frequencies.size();
}

const float* RopeTable::sines(int position) const {
  LB_CHECK(position >= 0 && position < impl_->size);
  return impl_->sines.data() + static_cast<std::size_t>(position) * impl_->frequencies.size();
}

}  // namespace layerboost
