// The base of all serving mixers.
#pragma once

#include <optional>
#include <string>

#include "mixer/descriptor.h"

namespace layerboost {

/// Answers what the descriptor of its kind says, so that a kind itself only computes, and knows its cache's layout.
class DescribedMixer : public Mixer {
 public:
  [[nodiscard]] const MixerSpec& spec() const { return spec_; }

  [[nodiscard]] std::string name() const final { return to_string(spec_); }
  [[nodiscard]] bool has_attention() const final { return descriptor_.weights == AttentionParts::all; }
  [[nodiscard]] std::optional<CacheAccount> account() const final { return descriptor_.account; }
  [[nodiscard]] std::size_t rewritten_bytes(int length) const final {
    return descriptor_.cost.state_bytes(config_, spec_, length);
  }
  // Right for mixers that before long write to each of their blocks: nothing is finished, and all is copied.
  [[nodiscard]] std::size_t finished_bytes(int /*length*/) const override { return 0; }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const override;
  /// Nothing: a kind that keeps keys and values says where.
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override;
  /// Moves what place_of() of this mixer has a place for.
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override;

 protected:
  /// Requires: `config`, the model's, outlives this.
  DescribedMixer(const MixerSpec& spec, const Config& config)
      : spec_(spec), descriptor_(descriptor_of(spec.kind)), config_(config) {}

 private:
  MixerSpec spec_;
  const MixerDescriptor& descriptor_;
  const Config& config_;
};

}  // namespace layerboost
