// Random numbers that are the same on every platform and compiler.
#pragma once

#include <array>
#include <cstdint>

namespace layerboost {

/// xoshiro256++ (Blackman and Vigna, 2019), seeded through splitmix64. Not for secrets. Not thread-safe: fork() one per
/// thread.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  /// 64 random bits.
  std::uint64_t next();

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform();

  /// Uniform in [0, n), without bias. Requires: n > 0.
  std::uint64_t below(std::uint64_t n);

  /// Standard normal, by ratio of uniforms (Leva, "A fast normal random number generator", ACM TOMS 18, 1992).
  double normal();

  /// The generator number `stream` of this one's seed: independent of it, of the other streams and of how much was
  /// sampled before.
  [[nodiscard]] Random fork(std::uint64_t stream) const;

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

/// 64 random bits that differ from process to process, for names and for seeds that nobody gave. Not for secrets.
std::uint64_t unrepeatable_bits();

}  // namespace layerboost
