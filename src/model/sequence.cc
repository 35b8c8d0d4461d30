#include "model/sequence.h"

#include <utility>

#include "base/error.h"

namespace layerboost {

Sequence::Sequence(const MixerList& mixers, CachePools& pools)
    : Sequence(mixers, [&pools](const Mixer& /*mixer*/) { return &pools; }) {}

Sequence::Sequence(const MixerList& mixers, const PoolsOf& pools_of) : mixers_(&mixers) {
  for (const Mixer* mixer : mixers) caches_.push_back({pools_of(*mixer), {}});
  if (mixers.partner != nullptr) partner_.emplace_back(*mixers.partner, pools_of);
}

void Sequence::set_rotations(int rotations) {
  if (rotations == rotations_) return;
  LB_CHECK(length_ == 0);
  rotations_ = rotations;
  for (LayerCache& cache : caches_) cache.rotations = rotations;
  for (Sequence& partner : partner_) partner.set_rotations(rotations);
}

bool Sequence::fold(const MixerList& mixers, const PoolsOf& pools_of) {
  LB_CHECK(mixers.size() == mixers_->size() && (mixers.partner == nullptr) == partner_.empty());
  std::vector<LayerCache> caches;
  for (std::size_t layer = 0; layer < mixers.size(); ++layer) {
    const Mixer &from = *(*mixers_)[layer], &to = *mixers[layer];
    if (&from == &to) {
      caches.push_back(caches_[layer]);
      continue;
    }
    caches.push_back({pools_of(to), {}, rotations_});
    if (!to.fold(from, caches_[layer], length_, caches.back())) return false;
  }
  if (mixers.partner != nullptr && !partner_.front().fold(*mixers.partner, pools_of)) return false;
  folded_ = folded_ || (mixers_ != &mixers && length_ > 0);
  mixers_ = &mixers;
  caches_ = std::move(caches);
  return true;
}

}  // namespace layerboost
