// The table of RoPE's cosines and sines.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/row_ops.h"

namespace layerboost {

namespace {

/// One cosine and sine. A frequency of 0 means no RoPE, which `factor` doesn't change.
void turn(double position, double frequency, double factor, float& cosine, float& sine) {
  const double times = frequency == 0 ? 1 : factor, angle = position * frequency;
  cosine = static_cast<float>(times * std::cos(angle));
  sine = static_cast<float>(times * std::sin(angle));
}

}  // namespace

struct RopeTable::Impl {
  std::vector<double> frequencies, second;  // [n], d/2 for each kind of layer
  int second_from = std::numeric_limits<int>::max();
  double factor = 1;
  RopeLengths lengths = {std::numeric_limits<int>::max()};  // all texts share their rows
  std::vector<double> exponents;                            // [n] where they don't
  std::vector<float> cosines, sines;                        // [size, n]
  int size = 0;

  /// A row of a text that has rows of its own.
  [[nodiscard]] RopeRow make_row(int row, ScratchStack::Frame& memory) const;
};

RopeTable::RopeTable(std::span<const double> frequencies, double factor, std::span<const double> second,
                     int second_from)
    : impl_(new Impl) {
  impl_->frequencies.assign(frequencies.begin(), frequencies.end());
  impl_->second.assign(second.begin(), second.end());
  if (!second.empty()) impl_->second_from = second_from;
  impl_->factor = factor;
}

RopeTable::RopeTable(std::span<const double> frequencies, double factor, const RopeLengths& lengths,
                     std::span<const double> exponents)
    : RopeTable(frequencies, factor) {
  LB_CHECK(exponents.size() == frequencies.size());
  impl_->lengths = lengths;
  impl_->exponents.assign(exponents.begin(), exponents.end());
}

RopeTable::~RopeTable() { delete impl_; }

RopeTable::RopeTable(RopeTable&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}

RopeTable& RopeTable::operator=(RopeTable&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

void RopeTable::grow(int rows) {
  Impl& table = *impl_;
  if (rows <= table.size || rows > table.lengths.positions) return;
  const int wanted = std::min(std::max(rows, 2 * table.size), table.lengths.positions);
  const std::size_t half = table.frequencies.size();
  table.cosines.resize(static_cast<std::size_t>(wanted) * half);
  table.sines.resize(static_cast<std::size_t>(wanted) * half);
  for (int row = table.size; row < wanted; ++row) {
    const bool first = row < table.second_from;
    const std::vector<double>& frequencies = first ? table.frequencies : table.second;
    const std::size_t at = static_cast<std::size_t>(row) * half;
    for (std::size_t i = 0; i < half; ++i)
      turn(first ? row : row - table.second_from, frequencies[i], table.factor, table.cosines[at + i],
           table.sines[at + i]);
  }
  table.size = wanted;
}

RopeRow RopeTable::row(int row, ScratchStack::Frame& memory) const {
  LB_CHECK(row >= 0);
  if (row >= impl_->size) return impl_->make_row(row, memory);
  const std::size_t at = static_cast<std::size_t>(row) * impl_->frequencies.size();
  return {impl_->cosines.data() + at, impl_->sines.data() + at};
}

RopeRow RopeTable::Impl::make_row(int row, ScratchStack::Frame& memory) const {
  LB_CHECK(row >= lengths.positions);  // or grow() wasn't called
  const RopeLengths::Place place = lengths.place_of(row);
  LB_CHECK(place.position < place.tokens);
  const double stretch = std::log(lengths.stretch(place.tokens));
  float* const made_cosines = memory.take<float>(frequencies.size());
  float* const made_sines = memory.take<float>(frequencies.size());
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    turn(place.position, frequencies[i] * std::exp(-exponents[i] * stretch), factor, made_cosines[i], made_sines[i]);
  return {made_cosines, made_sines};
}

}  // namespace layerboost
