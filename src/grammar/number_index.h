// Numbers of things by their hashes, for whoever keeps the things themselves in a list and adds many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace layerboost {

/// A table of at least twice as many slots: each number lies in the first free one from where its hash says.
class NumberIndex {
 public:
  /// The number that was added under `hash` and for which is_it(number); -1: there is none.
  template <typename IsIt>
  [[nodiscard]] int find(std::uint64_t hash, const IsIt& is_it) const {
    for (std::size_t slot = slot_of(hash); slots_[slot].number >= 0; slot = slot_of(slot + 1))
      if (slots_[slot].hash == hash && is_it(slots_[slot].number)) return slots_[slot].number;
    return -1;
  }

  /// Makes room for one number more, so that add() doesn't fail.
  void reserve_one() {
    if (2 * (used_ + 1) <= slots_.size()) return;
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.number >= 0) put(slot);
  }
  /// Requires: reserve_one() was called since the last one was added; number >= 0.
  void add(std::uint64_t hash, int number) {
    put({hash, number});
    ++used_;
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    int number = -1;
  };

  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const { return hash & (slots_.size() - 1); }
  void put(const Slot& added) {
    std::size_t slot = slot_of(added.hash);
    while (slots_[slot].number >= 0) slot = slot_of(slot + 1);
    slots_[slot] = added;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(64);
  std::size_t used_ = 0;
};

}  // namespace layerboost
