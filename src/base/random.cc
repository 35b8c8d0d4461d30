#include "base/random.h"

#include <bit>
#include <cmath>
#include <random>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

/// splitmix64's output function: a bijection that mixes every bit into every other.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) : seed_(seed) {
  std::uint64_t counter = seed;
  for (std::uint64_t& word : state_) word = mix(counter += golden);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

std::uint64_t Random::below(std::uint64_t n) {
  LB_CHECK(n > 0);
  const std::uint64_t unfair = (0 - n) % n;  // 2^64 mod n: so many of the lowest values are sampled again
  for (;;) {
    const std::uint64_t bits = next();
    if (bits >= unfair) return bits % n;
  }
}

double Random::normal() {
  // The logarithm only decides whether a point near the edge counts, so the values don't depend on the platform's libm.
  for (;;) {
    const double u = 1 - uniform();  // (0, 1]
    const double v = 1.7156 * (uniform() - 0.5);
    const double x = u - 0.449871;
    const double y = std::abs(v) + 0.386595;
    const double q = x * x + y * (0.19600 * y - 0.25472 * x);
    if (q < 0.27597) return v / u;
    if (q <= 0.27846 && v * v <= -4 * u * u * std::log(u)) return v / u;
  }
}

Random Random::fork(std::uint64_t stream) const { return Random(mix(mix(seed_ + golden) ^ mix(stream ^ golden))); }

std::uint64_t unrepeatable_bits() {
  static thread_local std::mt19937_64 random(std::random_device{}());
  return random();
}

}  // namespace layerboost
