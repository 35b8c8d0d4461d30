// One sequence being read by a model: which mixers it uses and what their layers keep of it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/cache.h"
#include "model/mixer.h"
#include "text/tokenizer.h"

namespace layerboost {

/// A sequence of tokens as far as it has been read. Copying makes a fork: both read on from the same positions, sharing
/// memory until they write.
class Sequence {
 public:
  /// Requires: `mixers` [L] and `pools` outlive this.
  Sequence(const MixerList& mixers, CachePools& pools);
  /// Each layer's cache in pools of its own choice; nullptr for mixers that keep nothing.
  using PoolsOf = std::function<CachePools*(const Mixer& mixer)>;
  Sequence(const MixerList& mixers, const PoolsOf& pools_of);

  [[nodiscard]] const MixerList& mixers() const { return *mixers_; }
  /// Positions already in the caches.
  [[nodiscard]] int length() const { return length_; }
  void advance(int count) { length_ += count; }
  /// Where its rotations begin in the model's table (RopeConfig::rotations()). A runner sets them by what it reads of a
  /// sequence first; whoever reads a text in pieces sets them before, by the length of all of it. A partner gets them,
  /// too. Requires: where they change, nothing is read yet; a partner's table has the same there.
  void set_rotations(int rotations);
  [[nodiscard]] int rotations() const { return rotations_; }
  LayerCache& cache(int layer) { return caches_[static_cast<std::size_t>(layer)]; }
  [[nodiscard]] const LayerCache& cache(int layer) const { return caches_[static_cast<std::size_t>(layer)]; }

  /// Goes on with `mixers` [L] of the same model: where a layer's differs, it takes over what the one before has kept
  /// (Mixer::fold()), a partner's, too. For a moment there is memory for both. False, and all is as it was, where a
  /// mixer can't. Requires: `mixers` outlive this.
  bool fold(const MixerList& mixers, const PoolsOf& pools_of);
  /// Whether it has been folded, or is a fork of such a one: what it keeps depends on where that was, for deeper layers
  /// have read what those before them saw then.
  [[nodiscard]] bool folded() const { return folded_; }

  /// What the mixers' partner keeps of the same sequence; nullptr without one. Its own model's runner reads for it,
  /// before this sequence's reads the same tokens.
  Sequence* partner() { return partner_.empty() ? nullptr : partner_.data(); }
  [[nodiscard]] const Sequence* partner() const { return partner_.empty() ? nullptr : partner_.data(); }

 private:
  const MixerList* mixers_;
  std::vector<LayerCache> caches_;  // [L]
  int length_ = 0, rotations_ = 0;
  bool folded_ = false;
  std::vector<Sequence> partner_;  // one or none
};

/// The tokens that one sequence reads in one step.
struct BatchItem {
  Sequence* sequence = nullptr;
  std::span<const TokenId> tokens;
};

}  // namespace layerboost
