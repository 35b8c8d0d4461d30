// The mixers that are softmax attention over what their cache keeps, and nothing besides: softmax and window.
#pragma once

#include <optional>
#include <utility>

#include "mixer/attention_block.h"
#include "mixer/described_mixer.h"

namespace layerboost {

/// A mixer that projects, attends over what its cache keeps, and projects back. `Cache` is PageCache or WindowCache,
/// and says what a query looks at.
template <typename Cache>
class CachedAttention : public DescribedMixer {
 public:
  void forward(const MixerRows& rows, Workspace& workspace) const final {
    const Projected projected = block_.project(rows, workspace);
    cache_.attend(rows, projected, workspace.scratch);
    block_.add_output(rows, projected, workspace);
  }
  [[nodiscard]] std::size_t cache_bytes(int length) const final { return cache_.bytes(length); }
  void reserve(LayerCache& cache, int length) const final { cache_.reserve(cache, length); }
  [[nodiscard]] std::size_t finished_bytes(int length) const final { return cache_.finished_bytes(length); }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const final {
    return cache_.bytes_to_copy(cache, length);
  }
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const final {
    return cache_.place_of(cache, length, position, head);
  }

 protected:
  /// The cache is made of the block and `rest`.
  template <typename... Rest>
  CachedAttention(const MixerSpec& spec, const MixerPlace& place, Rest&&... rest)
      : DescribedMixer(spec, place.model.config), block_(place), cache_(block_, std::forward<Rest>(rest)...) {}

 private:
  AttentionBlock block_;
  Cache cache_;
};

}  // namespace layerboost
