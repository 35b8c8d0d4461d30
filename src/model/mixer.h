// The seam between a model and what moves information between positions in one of its layers. The kinds are in
// src/mixer/.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/cache.h"
#include "model/workspace.h"

namespace layerboost {

enum class MixerKind { softmax, window, hybrid, gated, map, none };

/// What a plan says of one layer. Written "softmax", "window:64+4" (w = 64 recent positions and s = 4 sinks),
/// "hybrid:64+4" (such a window, and a linear state of what lies behind it), "gated:128" (a decaying linear state and a
/// window), "map", "none".
struct MixerSpec {
  MixerKind kind = MixerKind::softmax;
  int window = 0;  // w, where has_window(kind)
  int sinks = 0;   // s, where has_sinks(kind)

  auto operator<=>(const MixerSpec&) const = default;
};

/// All of them, from the most to the least.
inline constexpr MixerKind mixer_kinds[] = {MixerKind::softmax, MixerKind::window, MixerKind::hybrid,
                                            MixerKind::gated,   MixerKind::map,    MixerKind::none};
/// window, hybrid and gated look back over a window of w positions; the first two may have sinks.
constexpr bool has_window(MixerKind kind) {
  return kind == MixerKind::window || kind == MixerKind::hybrid || kind == MixerKind::gated;
}
constexpr bool has_sinks(MixerKind kind) { return kind == MixerKind::window || kind == MixerKind::hybrid; }
/// Whether it projects queries, keys and values.
constexpr bool has_attention(MixerKind kind) { return kind == MixerKind::softmax || has_window(kind); }

/// "softmax", "window", ...
const char* name_of(MixerKind kind);
/// The written form, such as "window:64+4"; parse_mixer() reads it back.
std::string to_string(const MixerSpec& spec);
/// Throws Error naming what is allowed. "window:64" has no sinks.
MixerSpec parse_mixer(std::string_view text);

/// The rows of one sequence in a step, as a layer sees them: `count` rows from `row` on (in the mixer's own compact
/// order), at positions position, position + 1, ...; `cache` holds what the layer kept of the positions before.
struct MixerSpan {
  int row = 0;
  int count = 0;
  int position = 0;
  LayerCache* cache = nullptr;
};

/// The rows of a step that use one mixer in one layer.
struct MixerRows {
  float* hidden = nullptr;           // [*, D], the residual stream; the mixer adds its output to its rows
  std::span<const int> index;        // the mixer's rows of hidden in compact order; empty: row i is row i
  std::span<const MixerSpan> spans;  // cover compact rows 0 .. rows-1
  int rows = 0;
};

/// One layer's mixer, with access to that layer's weights. Immutable: one object serves all sequences, threads use
/// workspaces of their own.
class Mixer {
 public:
  virtual ~Mixer() = default;
  [[nodiscard]] virtual const MixerSpec& spec() const = 0;

  /// hidden[row] += mixer(norm(hidden[row])) for its rows, and every span's cache then holds position + count
  /// positions.
  virtual void forward(const MixerRows& rows, Workspace& workspace) const = 0;

  /// Bytes that this layer keeps of one sequence of `length` positions, as allocated.
  [[nodiscard]] virtual std::size_t cache_bytes(int length) const = 0;

  /// Allocates those that `cache` doesn't have yet. forward() does so itself.
  virtual void reserve(LayerCache& cache, int length) const = 0;
};

/// Which mixer each layer uses: [L], not owned.
using MixerList = std::vector<const Mixer*>;

}  // namespace layerboost
