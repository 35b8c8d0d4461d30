// A set of places of a grammar that is filled and emptied over and over, and takes nothing of the system meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace layerboost {

/// Pairs of two numbers that aren't negative, in a table of twice as many slots: each pair lies in the first free one
/// from where its hash says.
class PlaceSet {
 public:
  /// Whether it is new.
  bool add(std::pair<int, int> place) {
    if (2 * (used_.size() + 1) > slots_.size()) grow();
    const std::uint64_t key =
        (std::uint64_t{static_cast<std::uint32_t>(place.first)} + 1) << 32 | static_cast<std::uint32_t>(place.second);
    const std::size_t slot = slot_of(key);
    if (slots_[slot] == key) return false;
    used_.push_back(slot);
    slots_[slot] = key;
    return true;
  }
  [[nodiscard]] std::size_t size() const { return used_.size(); }
  void clear() {
    for (const std::size_t slot : used_) slots_[slot] = none;
    used_.clear();
  }

 private:
  static constexpr std::uint64_t none = 0;

  /// Where the key is, or is to be.
  [[nodiscard]] std::size_t slot_of(std::uint64_t key) const {
    const std::size_t last = slots_.size() - 1;
    std::size_t slot = key * 0x9E3779B97F4A7C15U >> 32 & last;
    while (slots_[slot] != none && slots_[slot] != key) slot = (slot + 1) & last;
    return slot;
  }

  void grow() {
    PlaceSet larger;
    larger.slots_.resize(2 * slots_.size(), none);
    larger.used_.reserve(slots_.size());
    for (const std::size_t slot : used_) {
      larger.used_.push_back(larger.slot_of(slots_[slot]));
      larger.slots_[larger.used_.back()] = slots_[slot];
    }
    *this = std::move(larger);
  }

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(256, none);
  std::vector<std::size_t> used_;
};

}  // namespace layerboost
