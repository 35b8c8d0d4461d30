// Operations on rows between the matrix products. All run on as many threads as the rows are worth (few rows: the
// caller's), through the kernels of the best instruction level (base/cpu.h).
//
// Products under int8 come without the scale of their left operand's rows; whoever reads them multiplies it in. That is
// `Product`.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "kernels/activations.h"
#include "kernels/gate.h"
#include "kernels/rope_lengths.h"
#include "kernels/scratch.h"

namespace layerboost {

/// The result of a matrix product: value (i, j) is data[i * cols + j] * (row_scale ? row_scale[i] : 1).
struct Product {
  const float* data = nullptr;       // [rows, cols]
  const float* row_scale = nullptr;  // [rows] or nullptr
  int rows = 0, cols = 0;
};

/// out[i] = norm(x[index[i]]) * weight, norm(v) = v / sqrt(mean(v^2) + eps), in out's precision (int8: scale = max|.| /
/// 127). x [*, D] f32; `index` names the rows of x (empty: rows 0 .. out.rows()-1); out has been reshaped to [n, D].
/// (Zhang & Sennrich 2019.)
void rms_norm(const float* x, std::span<const int> index, const float* weight, float eps, Activations& out,
              KernelScratch& scratch);

/// x[index[i]] += factor y[i]; `index` empty: x[i] += factor y[i]. x [*, D].
void add_rows(float* x, std::span<const int> index, const Product& y, float factor = 1);

/// x[index[i]] += factor norm(y[i]) weight, `index` and norm() as above.
void add_normed_rows(float* x, std::span<const int> index, const Product& y, const float* weight, float eps,
                     float factor, KernelScratch& scratch);

/// out = y + bias with the row scales multiplied in: [rows, cols] plain f32, out may be y.data. Returns out as a
/// Product.
Product add_bias(const Product& y, const float* bias, float* out);

/// out = cap tanh(y / cap) (kernels/soft_cap.h) with the row scales multiplied in: [rows, cols] plain f32, out may be
/// y.data. Infinite numbers, which the cap would hide, become NaN. Returns out as a Product.
Product soft_cap_rows(const Product& y, float cap, float* out);

/// out[i, j] = f(gate[i, j]) * up[i, j], f the Gate; gate_up [n, 2F]: gate first. out reshaped to [n, F].
/// `rotation` > 0: each row of the result is then rotated, see rotate_row().
void gate_mul(const Product& gate_up, Gate gate, int rotation, Activations& out, KernelScratch& scratch);

/// Rotates a row: every run of `block` numbers by the orthonormal Hadamard matrix of that size. It spreads what stands
/// out over the run, so that int8 holds it better; as the rotation is its own inverse and symmetric, a product is
/// unchanged when both operands' rows are rotated (QuaRot, Ashkboos et al. 2024). size is a multiple of block, a power
/// of two of at least 16.
void rotate_row(float* row, int size, int block);

/// The largest block that rows of `size` can be rotated by, at most 1024; 0: none.
int rotation_block(int size);

/// out = factor x in out's precision. x [n, K] f32; out reshaped to [n, K].
void pack_activations(const float* x, Activations& out, float factor = 1);
/// out[i] = x[index[i]] in out's precision; `index` empty: x[i]. x [*, K].
void pack_rows(const float* x, std::span<const int> index, Activations& out);

/// The cosines and sines of one row of a RopeTable: [n] each.
struct RopeRow {
  const float* cosines = nullptr;
  const float* sines = nullptr;
};

/// Cosines and sines of RoPE for positions 0 .. size-1: [size, n] each. `frequencies` [n]: radians per position, d/2 of
/// them for each kind of layer (QkvShape::rope_first). `factor` multiplies both (yarn's attention factor), but where
/// the frequency is 0, which means no RoPE: there they are 1 and 0. Position `second_from` + i, where there is one, has
/// those of position i with the frequencies `second` [n]. Grown by doubling; growing isn't thread-safe.
///
/// With `lengths` each long text has rows of its own, whose frequencies are divided by stretch() to the power
/// `exponents` [n]. No table could hold them: they are computed each time that somebody asks for one.
class RopeTable {
 public:
  RopeTable(std::span<const double> frequencies, double factor, std::span<const double> second = {},
            int second_from = std::numeric_limits<int>::max());
  RopeTable(std::span<const double> frequencies, double factor, const RopeLengths& lengths,
            std::span<const double> exponents);
  ~RopeTable();
  RopeTable(RopeTable&&) noexcept;
  RopeTable& operator=(RopeTable&&) noexcept;
  /// Makes row() possible for the rows of a text the last of which is row `rows` - 1. With `lengths` this says nothing
  /// of other texts: growing for a long one, whose rows are computed, makes none of the short ones' rows.
  void grow(int rows);
  /// Row number `row`, valid until the table grows or, where it has to be computed, as long as what `memory` gives.
  RopeRow row(int row, ScratchStack::Frame& memory) const;

 private:
  struct Impl;
  Impl* impl_;
};

/// What splitting a fused projection into queries, keys and values needs to know.
struct QkvShape {
  int heads = 0, kv_heads = 0, head_size = 0;
  const float* bias = nullptr;    // [(H + 2G) d] or nullptr (qwen2)
  const float* q_norm = nullptr;  // [d] or nullptr: RMSNorm on each head before RoPE (qwen3)
  const float* k_norm = nullptr;
  float norm_eps = 0;
  int rope_first = 0;        // where this layer's d/2 cosines and sines begin in a row of the RopeTable
  bool whole_norms = false;  // these are [H d] and [G d]: each normalises all heads of a token as one (olmo2)
};

/// Splits qkv [n, (H + 2G) d] into q [n, H, d], k [n, G, d], v [n, G, d] (all f32): row scale, bias, head norms, then
/// RoPE of q and k with rotated pairs (i, i + d/2) at positions[i], unless `rope` is nullptr.
void split_qkv(const Product& qkv, const QkvShape& shape, const RopeTable* rope, const int* positions, float* q,
               float* k, float* v, KernelScratch& scratch);

// ---- Rows of logits. Each takes one row [V] and runs on the caller's thread; callers parallelise over rows.

/// log(sum_j exp(scale * logits[j])), computed in f32 with the maximum taken out and partial sums in at least f32
/// pairs. NaN if one of them is NaN or +infinity.
float log_sum_exp(const float* logits, float scale, int size);

/// The index of the largest; the first on a tie. -1 if one of them isn't a finite number.
int argmax(const float* logits, int size);

/// What comparing a changed model's next-token distribution q with the unchanged model's p gives.
struct Divergence {
  float kl;          // sum_v p_v (log p_v - log q_v), nats
  bool same_argmax;  // do both have the same best token
};
/// `p` are log-probabilities as IEEE half floats [V] (see store_log_probs), `q_logits` [V] with their row scale and
/// log_sum_exp.
Divergence divergence(const std::uint16_t* p, const float* q_logits, float q_scale, float q_log_sum_exp, int size);

/// log p_v = scale * logits[v] - lse as IEEE half floats into out [V].
void store_log_probs(const float* logits, float scale, float lse, int size, std::uint16_t* out);

}  // namespace layerboost
