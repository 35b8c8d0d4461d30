#include "heal/roofline.h"

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "heal/student_scratch.h"

namespace layerboost {
namespace {

constexpr int head_tile = 128;

/// Products of one shape.
struct Shape {
  int out = 0, in = 0, tile = tile_rows;
  auto operator<=>(const Shape&) const = default;
};

/// How often each product of a shape runs over the whole batch.
std::map<Shape, int> products_of(const Config& config, const std::vector<MixerSpec>& specs, int lowest) {
  const int D = config.hidden, F = config.ffn, q = config.q_size(), width = q + 2 * config.kv_size();
  std::map<Shape, int> products;
  const auto forward_and_back = [&](int out, int in, bool student) {
    products[{out, in}] += student ? 2 : 1;  // the teacher's and the student's
    if (student) products[{in, out}] += 1;
  };
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerKind kind = specs[static_cast<std::size_t>(layer)].kind;
    const bool learns = layer >= lowest, attention = learns && has_attention(kind);
    forward_and_back(width, D, attention);
    forward_and_back(D, q, attention);
    if (layer == lowest && attention) products[{D, width}] -= 1;  // nothing below needs a gradient
    forward_and_back(2 * F, D, learns);
    forward_and_back(D, F, learns);
  }
  products[{config.vocab, D, head_tile}] += 2;
  products[{D, config.vocab, head_tile}] += 1;
  return products;
}

double time_of(const Shape& shape, std::ptrdiff_t rows, Precision precision) {
  const PackedMatrix matrix(shape.out, shape.in, precision, [&](std::int64_t, std::int64_t count, float* values) {
    std::fill_n(values, count * shape.in, 1.0F);
  });
  Activations x;
  x.reshape(shape.tile, shape.in, precision);
  std::vector<float> ones(static_cast<std::size_t>(shape.tile) * static_cast<std::size_t>(shape.in), 1.0F);
  pack_activations(ones.data(), x);
  AlignedBuffer y;
  KernelScratch scratch;
  float* const result = y.reserve_product(shape.tile, shape.out);
  const std::ptrdiff_t tiles = (rows + shape.tile - 1) / shape.tile;
  double best = 1e9;
  for (int repeat = 0; repeat < 4; ++repeat) {  // the first warms up
    const Stopwatch clock;
    for (std::ptrdiff_t i = 0; i < tiles; ++i) matrix.multiply(x, result, scratch);
    best = std::min(best, clock.seconds());
  }
  return best;
}

}  // namespace

RooflineWork measure_roofline(const Config& config, const std::vector<MixerSpec>& specs, int lowest,
                              const CoreBatch& batch, Precision precision) {
  RooflineWork roofline;
  roofline.tokens = batch.rows();
  for (const auto& [shape, count] : products_of(config, specs, lowest)) {
    if (count == 0) continue;
    roofline.operations += 2.0 * shape.out * shape.in * static_cast<double>(batch.rows()) * count;
    roofline.seconds += count * time_of(shape, batch.rows(), precision);
  }
  return roofline;
}

std::string profile_table(const Profile& profile, double seconds, const RooflineWork& roofline) {
  const auto tokens = static_cast<double>(roofline.tokens);
  std::string table = fmt::format("{:<20}{:>10}{:>9}\n", "", "ms", "share");
  double known = 0;
  for (const Phase phase : Profile::all()) {
    known += profile.seconds(phase);
    table += fmt::format("{:<20}{:>10.1f}{:>8.1f}%\n", name_of(phase), 1e3 * profile.seconds(phase),
                         100 * profile.seconds(phase) / seconds);
  }
  table += fmt::format("{:<20}{:>10.1f}{:>8.1f}%\n", "the rest", 1e3 * (seconds - known), 100 * (1 - known / seconds));
  table += fmt::format("{:<20}{:>10.1f}          {} tokens, {:.0f} tokens/s\n", "step", 1e3 * seconds, roofline.tokens,
                       tokens / seconds);
  table +=
      fmt::format("{:<20}{:>10.1f}          its {:.1f} GFLOP of products alone at {:.0f} GFLOP/s: {:.0f} tokens/s\n",
                  "roofline", 1e3 * roofline.seconds, roofline.operations / 1e9,
                  roofline.operations / 1e9 / roofline.seconds, tokens / roofline.seconds);
  return table + fmt::format("{:.0f} % of the roofline\n", 100 * roofline.seconds / seconds);
}

Json profile_json(const Profile& profile, double seconds, const RooflineWork& roofline) {
  Json phases = Json::object();
  for (const Phase phase : Profile::all()) phases[name_of(phase)] = profile.seconds(phase);
  return {{"phases", phases},
          {"seconds", seconds},
          {"tokens", roofline.tokens},
          {"tokens_per_second", static_cast<double>(roofline.tokens) / seconds},
          {"roofline_seconds", roofline.seconds},
          {"operations", roofline.operations},
          {"share_of_roofline", roofline.seconds / seconds}};
}

}  // namespace layerboost
