// The seam between a model and what moves information between positions in one of its layers. The kinds are in
// src/mixer/.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/attention.h"
#include "model/cache.h"
#include "model/workspace.h"

namespace layerboost {

class Sequence;

/// The accounts of the memory for caches: of softmax attention's pages, of windows, and of linear states (with the
/// windows beside them).
enum class CacheAccount { softmax, window, state };

/// Where the key and the value of one position lie, of one KV head.
struct KvPlace {
  KvLayout layout;
  std::byte* block = nullptr;
  int slot = 0;
  int head = 0;  // of those in the block

  /// The part of the block that the head has, as a block of its own.
  [[nodiscard]] KvLayout head_layout() const { return layout.of_one_head(); }
  [[nodiscard]] std::byte* head_block() const { return block + layout.head_bytes() * static_cast<std::size_t>(head); }
};

/// The rows of one sequence in a step, as a layer sees them: `count` rows from `row` on (in the mixer's own compact
/// order), at positions position, position + 1, ...; `cache` holds what the layer kept of the positions before.
struct MixerSpan {
  int row = 0;
  int count = 0;
  int position = 0;
  LayerCache* cache = nullptr;
  const Sequence* sequence = nullptr;  // what its other layers keep, and its partner's
};

/// The rows of a step that use one mixer in one layer.
struct MixerRows {
  float* hidden = nullptr;           // [*, D], the residual stream; the mixer adds its output to its rows
  std::span<const int> index;        // the mixer's rows of hidden in compact order; empty: row i is row i
  std::span<const MixerSpan> spans;  // cover compact rows 0 .. rows-1
  int rows = 0;

  /// The row of the step that a span begins with; its others follow.
  [[nodiscard]] int step_row(const MixerSpan& span) const {
    return index.empty() ? span.row : index[static_cast<std::size_t>(span.row)];
  }
};

/// One layer's mixer, with access to that layer's weights. Immutable: one object serves all sequences, threads use
/// workspaces of their own.
class Mixer {
 public:
  virtual ~Mixer() = default;

  /// The written form, as plans have it, such as "window:64+4".
  [[nodiscard]] virtual std::string name() const = 0;

  /// Whether it multiplies by Wq, Wk, Wv and Wo, the layer's or some of its own.
  [[nodiscard]] virtual bool has_attention() const = 0;

  /// Earlier layers whose queries it reads in each step (StepContext). Requires: their mixers have attention.
  [[nodiscard]] virtual std::span<const int> sources() const { return {}; }

  /// hidden[row] += mixer(norm(hidden[row])) for its rows, and every span's cache then holds position + count
  /// positions.
  virtual void forward(const MixerRows& rows, Workspace& workspace) const = 0;

  /// Where the bytes that it keeps of sequences are accounted for; none: it keeps nothing.
  [[nodiscard]] virtual std::optional<CacheAccount> account() const = 0;

  /// Bytes that this layer keeps of one sequence of `length` positions, as allocated.
  [[nodiscard]] virtual std::size_t cache_bytes(int length) const = 0;

  /// Those of these bytes that each step of the sequence reads and writes back whole, such as a linear state; of the
  /// others it writes only what new positions add.
  [[nodiscard]] virtual std::size_t rewritten_bytes(int /*length*/) const { return 0; }

  /// Those of these bytes that reading on never writes: what forks of one sequence go on sharing.
  [[nodiscard]] virtual std::size_t finished_bytes(int length) const = 0;

  /// The most that is copied when the layer reads on: bytes of blocks of `cache`, which holds `length` positions, that
  /// will be written and that somebody else holds, too.
  [[nodiscard]] virtual std::size_t bytes_to_copy(const LayerCache& cache, int length) const = 0;

  /// Allocates those that `cache` doesn't have yet. forward() does so itself.
  virtual void reserve(LayerCache& cache, int length) const = 0;

  /// Where `cache`, which holds `length` positions of a sequence, has a KV head's key and value of `position`; nothing
  /// where this mixer keeps none, or no longer.
  [[nodiscard]] virtual std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                        int head) const = 0;

  /// Takes over what `from`, another mixer of the same layer, has kept of a sequence's `length` positions in `cache`:
  /// `to`, a cache without blocks, then holds what this mixer would have kept of the same keys and values. Keys and
  /// values are moved bit by bit; a linear state is made of the keys and values that `from` still has. False, and `to`
  /// without blocks, where what this mixer needs isn't there. Requires: mixers of one model that keep numbers of one
  /// type.
  [[nodiscard]] virtual bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const = 0;
};

/// Which mixer each layer uses: [L], not owned.
struct MixerList : std::vector<const Mixer*> {
  using std::vector<const Mixer*>::vector;
  const MixerList* partner = nullptr;  // of another model, which reads the same sequence beside this one; not owned
};

}  // namespace layerboost
