// The forward pass: takes a ragged batch of rows through a model's layers, for evaluation, analysis and serving alike.
// A BatchItem is a Sequence with the tokens that it reads in this step, a whole prompt or a single one; all items'
// rows, one after another, are the hidden states [N, D]. A layer adds to them what each sequence's mixer gives and then
// what the MLP gives, and the sequences' caches of the layer grow by the rows. forward() does it all; embed(),
// run_layers(), mix() and mlp() are its parts, for who stops between layers. logits() makes scores of the next token
// from chosen rows. A runner owns memory to compute in and nothing else: it samples nothing, schedules nothing, and
// keeps nothing of a sequence.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/model.h"
#include "model/sequence.h"
#include "model/workspace.h"

namespace layerboost {

/// What to say where logits come out as NaN or infinity.
inline constexpr const char* damaged_model = "the model's logits are not numbers: its weights or adapter are damaged";

/// Rows of logits handed to a consumer: row i of the block belongs to row rows[i] of the hidden states.
struct LogitsBlock {
  std::span<const int> rows;
  const float* data = nullptr;       // [rows.size(), V], to be multiplied by
  const float* row_scale = nullptr;  // [rows.size()], or nullptr for 1
  int vocab = 0;

  [[nodiscard]] const float* row(std::size_t i) const { return data + i * static_cast<std::size_t>(vocab); }
  [[nodiscard]] float scale(std::size_t i) const { return row_scale != nullptr ? row_scale[i] : 1.0F; }
};

/// Runs steps of one model. Owns scratch memory: one per thread of control.
class Runner {
 public:
  /// Requires: `model` outlives this.
  explicit Runner(const Model& model) : model_(model), workspace_(model.rope()) {}

  /// The embeddings of `tokens`, times the model's factor, into hidden [tokens.size(), D]. Throws Error for an id
  /// outside the vocabulary.
  void embed(std::span<const TokenId> tokens, float* hidden) const;

  /// Takes hidden [N, D] (the items' rows one after another, N the sum of their tokens) through layers first .. last-1.
  /// Each item's rows are at positions length() on of its sequence; its caches of these layers then hold them, and if
  /// `last` is L the sequence advances. Requires: these layers' sources are among them; a sequence that has been begun
  /// has the rotations of the length that it comes to (Sequence::set_rotations()).
  void run_layers(std::span<const BatchItem> items, float* hidden, int first, int last);

  /// The two halves of a layer, mixer and MLP: each adds to hidden what it makes of it, normalised before or after or
  /// both, and times a factor, as the model has it. As run_layers(), without advancing.
  void mix(std::span<const BatchItem> items, float* hidden, int layer);
  void mlp(float* hidden, int rows, int layer);

  /// embed() and all layers. Returns hidden [N, D], valid until the next call. How a sequence is cut into steps and
  /// what else is in the batch doesn't change its rows beyond rounding.
  const float* forward(std::span<const BatchItem> items);

  /// Logits of the named rows of hidden [*, D] (final norm, head, soft cap), handed over in blocks of at most 64 rows.
  /// The consumer may run rows in parallel; the block is valid during the call.
  void logits(const float* hidden, std::span<const int> rows, const std::function<void(const LogitsBlock&)>& consume);

  /// The named rows of hidden [*, D] after the final norm, in f32 and on the scale that the model was trained with,
  /// whatever the precision: handed over in the order of `rows`, in blocks [count, D] of at most 256 rows. A block is
  /// valid during the call.
  void final_states(const float* hidden, std::span<const int> rows,
                    const std::function<void(int count, const float* states)>& consume);

  /// The memory that it computes in, for those who observe the inputs of products.
  Workspace& workspace() { return workspace_; }

  /// Bytes of scratch memory.
  [[nodiscard]] std::size_t scratch_bytes() const {
    return workspace_.bytes() + hidden_.capacity() + head_product_.capacity();
  }

 private:
  const Model& model_;
  Workspace workspace_;
  AlignedBuffer hidden_, head_product_;
  std::vector<TokenId> tokens_;
};

}  // namespace layerboost
