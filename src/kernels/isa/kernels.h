// The functions that are compiled once per instruction level, as a table. Written without anything that instantiates
// inline functions of the standard library: code for a higher level must never be what the linker keeps for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gate.h"
#include "kernels/isa/low_rank.h"
#include "kernels/isa/training_rows.h"
#include "kernels/kv_segment.h"

namespace layerboost {

/// One row each, `n` numbers. Inputs and outputs may be unaligned; output may be the input only where said.
struct RowKernels {
  /// out = x / sqrt(mean(x^2) + eps) * weight. May be in place.
  void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
  /// x += scale * y
  void (*add)(float* x, const float* y, float scale, int n);
  /// out = scale * y + bias. May be in place.
  void (*add_bias)(const float* y, float scale, const float* bias, int n, float* out);
  /// out = cap tanh(scale * y / cap). May be in place.
  void (*soft_cap)(const float* y, float scale, float cap, int n, float* out);
  /// out = scale * x
  void (*scale)(const float* x, float scale, int n, float* out);
  /// out = f(scale * gate) * scale * up, by Gate f
  void (*gate_mul[gate_count])(const float* gate, const float* up, float scale, int n, float* out);
  /// Rounded to nearest even.
  void (*to_bf16)(const float* x, int n, std::uint16_t* out);
  /// out = x / scale rounded to nearest even; returns scale = max|x| / 127 (an all-zero row: 1).
  float (*to_int8)(const float* x, int n, std::int8_t* out);
  /// out = x / scale rounded to nearest even; returns scale = max|x| / 127 rounded to bf16 (an all-zero row: 1).
  std::uint16_t (*to_int8_kv)(const float* x, int n, std::int8_t* out);
  /// Rotates the pairs (i, i + half): x[i] c - x[i + half] s, x[i + half] c + x[i] s. In place.
  void (*rotate)(float* x, const float* cosines, const float* sines, int half);
  /// x <- H x / sqrt(n), H the Hadamard matrix of size n in Sylvester's order. n: a power of two, at least 16. In
  /// place.
  void (*hadamard)(float* x, int n);
};

/// Rows of logits, with sums kept in double over blocks of a few hundred numbers.
struct LogitKernels {
  /// Returns sum_j exp(scale * logits[j] - *most), *most = max_j scale * logits[j].
  double (*sum_exp)(const float* logits, float scale, int n, float* most);
  /// The first index of the largest.
  int (*argmax)(const float* logits, int n);
  /// sum_v p_v (log p_v - (scale * logits[v] - lse)) with log p as half floats; and the first index of the largest of
  /// each.
  double (*divergence)(const std::uint16_t* log_p, const float* logits, float scale, float lse, int n, int* best_p,
                       int* best_q);
  /// out = scale * logits - lse as half floats.
  void (*store_log_probs)(const float* logits, float scale, float lse, int n, std::uint16_t* out);
};

/// What some queries read of a sequence: the keys of one head, the values of one head, of some segments.
struct AttentionReads {
  const KvSegment* segments = nullptr;
  int segment_count = 0;
  int key_head = 0, value_head = 0;
};

/// One of a tile's heads: the place of its queries among the H query heads, that of its results among the A heads of
/// attention.
struct AttentionTileHead {
  int query = 0, out = 0;
};

/// Consecutive tokens of one sequence with R heads that read the same: rows = tokens * R, row (i, r) = i * R + r.
struct AttentionTile {
  KvType type = KvType::f32;
  KvPart keys, values;  // d' below is the d of either rounded up to a multiple of 16
  AttentionReads reads;
  AttentionReads next;  // what is read after this tile, to be fetched ahead

  const float* q = nullptr;  // [tokens, H, d]
  float* out = nullptr;      // [tokens, A, d]; unused where `partial` is set
  int query_heads = 0;       // H
  int out_heads = 0;         // A
  int tokens = 0;
  int heads = 0;                            // R
  const AttentionTileHead* list = nullptr;  // [R]
  int first_position = 0;                   // of the first token
  int window = 0;                           // 0: none
  float scale = 0;
  float soft_cap = 0;  // of the scores; 0: none

  /// nullptr, or [tokens, A]: where to leave log2 of the sum of e^score of each query.
  float* log_sums = nullptr;
  /// nullptr, or [tokens, A]: where to leave the largest score times log2(e).
  float* maxima = nullptr;
  bool track_maxima = false;  // set with `maxima`, and with `partial` where maxima will be wanted
  /// nullptr, or [tokens, A, weights_size], of unseen scores: where to leave the weights by position, with `partial`
  /// the scores that AttentionKernels::finish_weights() makes weights of.
  float* weights = nullptr;
  std::ptrdiff_t weights_size = 0;

  /// Room for attention_scratch_floats(), aligned to 64 bytes.
  float* scratch = nullptr;
  /// nullptr, or where to leave the sums for merging with those over other segments: unnormalised output [rows, d'],
  /// then [rows] maxima of the scores times log2(e), at least about, then [rows] sums of 2^(score - maximum), then (if
  /// tracked) [rows] the exact maxima.
  float* partial = nullptr;
};

/// Numbers of scratch for so many rows; keys and values have so many numbers, rounded up to multiples of 16.
static constexpr std::ptrdiff_t attention_scratch_floats(std::ptrdiff_t rows, std::ptrdiff_t padded_key,
                                                         std::ptrdiff_t padded_value) {
  return rows * (padded_key + (padded_key > padded_value ? padded_key : padded_value) + 34) + 16;
}

/// A score that counts as none.
static constexpr float kUnseenScore = -1.0e30f;

struct AttentionKernels {
  void (*attend)(const AttentionTile& tile);
  /// weights[j] = 2^(weights[j] - log_sum), j < n: of a query's scores, 0 where they are unseen.
  void (*finish_weights)(float* weights, std::ptrdiff_t n, float log_sum);
};

/// The largest head that training supports.
static constexpr int kMostHeadSize = 256;

/// Some query heads of one KV head over a whole sequence: what training_attention_backward() does at a time.
struct AttentionBackward {
  bool bf16 = false;
  int head_size = 0;
  int length = 0;  // tokens
  int heads = 0;   // query heads, next to each other
  int window = 0, sinks = 0;
  float scale = 0;
  float soft_cap = 0;                                         // of the scores; 0: none
  const float *q = nullptr, *out = nullptr, *dout = nullptr;  // [length, heads, d], tokens q_stride floats apart
  const float* log_sums = nullptr;                            // [length, heads], log_stride apart
  const float* dlog_sums = nullptr;                           // likewise, or nullptr for zeros
  const float *k = nullptr, *v = nullptr;                     // [length, d], kv_stride apart
  float* dq = nullptr;                                        // added to; as q
  float *dk = nullptr, *dv = nullptr;                         // added to; [length, d], dkv_stride apart
  std::ptrdiff_t q_stride = 0, log_stride = 0, kv_stride = 0, dkv_stride = 0;
  float* scratch = nullptr;  // attention_backward_scratch_floats(), aligned to 64 bytes
};

static constexpr std::ptrdiff_t attention_backward_scratch_floats(std::ptrdiff_t length, std::ptrdiff_t head_size) {
  const std::ptrdiff_t padded = (head_size + 15) / 16 * 16, rows = (length + 63) / 64 * 64;
  return rows * (8 * padded + 2) + 128 * padded + 64 * 64;
}

struct AttentionTrainingKernels {
  void (*backward)(const AttentionBackward& task);
};

/// C [rows, cols] = or += A [rows, steps] B [steps, cols], all f32; cols a multiple of 16. Strides in floats.
struct SmallProduct {
  int rows = 0, cols = 0, steps = 0;
  const float* a = nullptr;
  std::ptrdiff_t a_stride = 0;
  const float* b = nullptr;
  std::ptrdiff_t b_stride = 0;
  float* c = nullptr;
  std::ptrdiff_t c_stride = 0;
  bool accumulate = false;
};

/// One token of a state that fades by row (kernels/decaying_states.h): S[i] = gates[i] S[i] + k[i] v, then
/// out[r] = or += sum_i q[r, i] S[i].
struct StateStep {
  float* state = nullptr;                                    // [d, width]
  int d = 0, width = 0;                                      // width: a multiple of 16
  int heads = 0;                                             // R
  const float *gates = nullptr, *k = nullptr, *v = nullptr;  // [d], [d], [width]
  const float* q = nullptr;                                  // [R, d]
  float* out = nullptr;                                      // [R, width]
  bool accumulate = false;
};

struct LinearKernels {
  void (*multiply)(const SmallProduct& product);
  /// to[j, i] = from[i, j], from [n, m]. Strides in floats.
  void (*transpose)(const float* from, std::ptrdiff_t from_stride, int n, int m, float* to, std::ptrdiff_t to_stride);
  /// out [2 n] = max(1e-12, [softmax(u), softmax(-u)]), u [n].
  void (*features)(const float* u, int n, float* out);
  /// a[j] *= e^(own - logs[j]), j < n.
  void (*decay_row)(float* a, const float* logs, float own, int n);
  /// out = factor * x * e^(sign * logs), n numbers; sign * logs <= 88.
  void (*times_exp)(const float* x, const float* logs, float sign, float factor, int n, float* out);
  /// out = max(least, factor * log(sigmoid(z + bias))), n numbers.
  void (*log_gates)(const float* z, const float* bias, float factor, float least, int n, float* out);
  void (*state_step)(const StateStep& step);
};

/// Outputs of a panel, the weights of some outputs of a linear layer: [steps, 16, numbers of a step] with zeros where
/// the weights end. A step has one number of f32, two of bf16 or int8.
static constexpr int kPanelOutputs = 16;

/// y [rows, 16] = x [rows, numbers of all steps] times a panel.
struct PanelProduct {
  const std::byte* x = nullptr;  // f32, or as PanelKernels::widen_* left it
  std::ptrdiff_t x_stride = 0;   // bytes
  int rows = 0, steps = 0;
  const std::byte* panel = nullptr;
  const float* scales = nullptr;  // int8: [16], of the outputs
  float* y = nullptr;
  std::ptrdiff_t y_stride = 0;
};

struct PanelKernels {
  /// Rewrites n numbers of a row as the level's product reads them: in no more than 4 bytes each.
  void (*widen_bf16)(const std::uint16_t* x, int n, void* out);
  void (*widen_int8)(const std::int8_t* x, int n, void* out);
  void (*multiply_f32)(const PanelProduct& product);
  void (*multiply_bf16)(const PanelProduct& product);
  void (*multiply_int8)(const PanelProduct& product);
};

/// All of one level.
struct Kernels {
  RowKernels rows;
  LogitKernels logits;
  AttentionKernels attention;
  AttentionTrainingKernels attention_training;
  LinearKernels linear;
  LowRankKernels low_rank;
  TrainingRowKernels training_rows;
  PanelKernels panels;
};

// Each file of isa/ defines a part of its level's. A level's namespace is its name in lower case.
#define LB_DECLARE_KERNELS(level)                                   \
  namespace level {                                                 \
  extern const RowKernels row_kernels;                              \
  extern const LogitKernels logit_kernels;                          \
  extern const AttentionKernels attention_kernels;                  \
  extern const AttentionTrainingKernels attention_training_kernels; \
  extern const LinearKernels linear_kernels;                        \
  extern const LowRankKernels low_rank_kernels;                     \
  extern const TrainingRowKernels training_row_kernels;             \
  extern const PanelKernels panel_kernels;                          \
  }
LB_DECLARE_KERNELS(avx2)
LB_DECLARE_KERNELS(avx512)
#undef LB_DECLARE_KERNELS

}  // namespace layerboost
