#include "engine/throughput_roofline.h"

#include <algorithm>

#include "base/clock.h"

namespace layerboost {
namespace {

/// Times the products of all layers and the head for `rows` rows; `head_rows` of them need logits.
class ProductTimer {
 public:
  /// Fills the operand with ones for the widest matrix; narrower ones see a part of them.
  ProductTimer(const Model& model, const MixerList& mixers) : model_(model), mixers_(mixers) {
    const Config& config = model.config;
    const int widest = std::max({config.hidden, config.q_size(), config.ffn});
    const std::vector<float> ones(static_cast<std::size_t>(tile_rows) * static_cast<std::size_t>(widest), 1.0F);
    input_.reshape(tile_rows, widest, model.precision);
    pack_activations(ones.data(), input_);
  }

  double layers(int rows) {
    const Stopwatch watch;
    for (std::size_t l = 0; l < mixers_.size(); ++l) {
      const LayerWeights& weights = model_.weights.layers[l];
      if (mixers_[l]->has_attention()) {
        multiply(weights.qkv, rows);
        multiply(weights.o, rows);
      }
      multiply(weights.gate_up, rows);
      multiply(weights.down, rows);
    }
    return watch.seconds();
  }

  double head(int rows) {
    const Stopwatch watch;
    multiply(model_.weights.head, rows);
    return watch.seconds();
  }

  /// The least of some repetitions.
  template <typename Work>
  static double best(const Work& work) {
    double least = work();
    for (int i = 0; i < 4; ++i) least = std::min(least, work());
    return least;
  }

 private:
  void multiply(const PackedMatrix& matrix, int rows) {
    for (int first = 0; first < rows; first += tile_rows) {
      const int count = std::min(tile_rows, rows - first);
      input_.reshape(count, matrix.in(), matrix.precision());
      matrix.multiply(input_, output_.reserve_product(count, matrix.out()), scratch_);
    }
  }

  const Model& model_;
  const MixerList& mixers_;
  Activations input_;
  AlignedBuffer output_;
  KernelScratch scratch_;
};

}  // namespace

Roofline measure_roofline(const Model& model, const MixerList& mixers, const ThroughputRow& row) {
  ProductTimer timer(model, mixers);
  Roofline roofline;
  const double tiles = static_cast<double>(row.batch) * row.prompt / tile_rows;
  roofline.prompt_seconds = tiles * ProductTimer::best([&] { return timer.layers(tile_rows); }) +
                            ProductTimer::best([&] { return timer.head(row.batch); });
  roofline.generate_product_seconds =
      row.generate * ProductTimer::best([&] { return timer.layers(row.batch) + timer.head(row.batch); });
  roofline.bandwidth = read_bandwidth();
  const std::size_t traffic = decode_cache_traffic(mixers, row.prompt + row.generate / 2);
  roofline.generate_cache_seconds = static_cast<double>(traffic) * row.batch * row.generate / roofline.bandwidth;
  return roofline;
}

std::size_t decode_cache_traffic(const MixerList& mixers, int length) {
  std::size_t bytes = 0;
  for (const Mixer* mixer : mixers) bytes += mixer->cache_bytes(length) + mixer->rewritten_bytes(length);
  return bytes;
}

double read_bandwidth() {
  constexpr std::size_t bytes = std::size_t{512} << 20;
  AlignedBuffer buffer;
  auto* const words = buffer.reserve_as<std::uint64_t>(bytes / sizeof(std::uint64_t));
  constexpr auto count = static_cast<std::ptrdiff_t>(bytes / sizeof(std::uint64_t));
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) words[i] = static_cast<std::uint64_t>(i);
  double best = 0;
  std::uint64_t total = 0;
  for (int pass = 0; pass < 5; ++pass) {
    const Stopwatch watch;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (std::ptrdiff_t i = 0; i < count; ++i) total += words[i];
    best = std::max(best, static_cast<double>(bytes) / watch.seconds());
  }
  // The sum is used, so that the reading can't be left out.
  return total == 0 ? 0 : best;
}

}  // namespace layerboost
