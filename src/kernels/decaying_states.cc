#include "kernels/decaying_states.h"

#include <algorithm>
#include <cmath>
#include <memory_resource>
#include <vector>

#include "kernels/small_products.h"

namespace layerboost {
namespace {

constexpr int most_tokens = 64;
// So few tokens are read one by one.
constexpr int fewest_of_a_chunk = 6;
// exp(60) times 64 products of numbers in the thousands is finite.
constexpr float lowest_log = -60;
constexpr float gate_root = 16, least_log_gate = -50;

/// out = factor * x * exp(sign * logs), n numbers.
void times_exp(const float* x, const float* logs, float sign, float factor, int n, float* out) {
  kernels().linear.times_exp(x, logs, sign, factor, n, out);
}

/// rows [n, width] *= exp(logs) by row.
void scale_rows_by_exp(float* rows, const float* logs, int n, int width) {
  for (int i = 0; i < n; ++i) {
    const float factor = std::exp(logs[i]);
    for (int j = 0; j < width; ++j) rows[std::ptrdiff_t{i} * width + j] *= factor;
  }
}

/// What a chunk computes forward. Rows of d' numbers, those behind d zeros; (r, t) is row r * count + t.
class Fading {
 public:
  Fading(const DecayingHeads& heads, ScratchStack& scratch)
      : heads_(heads), d_(heads.head_size), width_(padded_to_16(heads.head_size)), frame_(scratch) {
    const std::ptrdiff_t rows = std::ptrdiff_t{most_tokens} * heads.heads;
    v_ = take(most_tokens, width_);
    weights_ = take(rows, most_tokens);
    out_ = take(rows, width_);
    turned_ = take(std::max(width_, most_tokens), std::max<std::ptrdiff_t>(rows, width_));
    for (int s = 0; s < heads.states; ++s) {
      logs_[s] = take(most_tokens, width_);
      q_[s] = take(rows, width_);
      k_[s] = take(most_tokens, width_);
    }
  }

  [[nodiscard]] int width() const { return width_; }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] std::ptrdiff_t state_floats() const { return std::ptrdiff_t{d_} * width_; }

  /// The tokens from `first` on that fit: b, Q', K' and V of them.
  void prepare(int first) {
    first_ = first;
    count_ = 0;
    const int most = std::min(most_tokens, heads_.count - first);
    while (count_ < most && add_logs(count_)) ++count_;
    rows_ = count_ * heads_.heads;
    copy_rows(heads_.v + first * heads_.v_stride, heads_.v_stride, v_);
    for (int s = 0; s < heads_.states; ++s) {
      for (int t = 0; t < count_; ++t) {
        const float* const logs = logs_[s] + std::ptrdiff_t{t} * width_;
        for (int r = 0; r < heads_.heads; ++r)
          padded_times_exp(heads_.q + (first + t) * heads_.q_stride + std::ptrdiff_t{r} * d_, logs, 1,
                           q_[s] + (std::ptrdiff_t{r} * count_ + t) * width_);
        padded_times_exp(heads_.k + (first + t) * heads_.k_stride, logs, -1, k_[s] + std::ptrdiff_t{t} * width_);
      }
      std::fill_n(k_[s] + std::ptrdiff_t{count_} * width_, std::ptrdiff_t{padded_to_16(count_) - count_} * width_,
                  0.0F);
    }
  }

  /// `state` [d, d']: the first token's gate.
  void begin_state(int s, float* state) const {
    scale_rows_by_exp(state, heads_.log_gates[s] + first_ * heads_.gate_stride, d_, width_);
  }

  /// Adds the chunk to a state that begin_state() has seen.
  void end_state(int s, float* state) const {
    transpose_small(k_[s], width_, padded_to_16(count_), width_, turned_, most_tokens);
    multiply_small(d_, width_, count_, turned_, most_tokens, v_, width_, state, width_, true);
    scale_rows_by_exp(state, last_logs(s), d_, width_);
  }

  /// weights_ = sum_s w_s mask(Q' K'^T).
  void find_weights() const {
    for (int s = 0; s < heads_.states; ++s) {
      transpose_small(k_[s], width_, padded_to_16(count_), width_, turned_, most_tokens);
      // w_s goes into the turned keys: Q' stays what backward wants.
      for (int i = 0; i < d_; ++i)
        for (int t = 0; t < padded_to_16(count_); ++t)
          turned_[std::ptrdiff_t{i} * most_tokens + t] *= heads_.weights[s];
      multiply_small(rows_, padded_to_16(count_), d_, q_[s], width_, turned_, most_tokens, weights_, most_tokens,
                     s > 0);
    }
    mask(weights_);
  }

  /// Zero above the diagonal, of each head.
  void mask(float* weights) const {
    for (int row = 0; row < rows_; ++row) {
      float* const begin = weights + std::ptrdiff_t{row} * most_tokens;
      std::fill(begin + row % count_ + 1, begin + padded_to_16(count_), 0.0F);
    }
  }

  /// out_ = sum_s w_s (Q' S + ...), of states that begin_state() has seen.
  const float* read(const float* states) const {
    for (int s = 0; s < heads_.states; ++s) {
      std::copy_n(states + s * state_floats(), state_floats(), turned_);
      for (std::ptrdiff_t i = 0; i < state_floats(); ++i) turned_[i] *= heads_.weights[s];
      multiply_small(rows_, width_, d_, q_[s], width_, turned_, width_, out_, width_, s > 0);
    }
    find_weights();
    multiply_small(rows_, width_, count_, weights_, most_tokens, v_, width_, out_, width_, true);
    return out_;
  }

 protected:
  float* take(std::ptrdiff_t rows, std::ptrdiff_t cols = 1) {
    return frame_.take<float>(static_cast<std::size_t>(rows * cols));
  }

  [[nodiscard]] const float* last_logs(int s) const { return logs_[s] + std::ptrdiff_t{count_ - 1} * width_; }

  /// Rows of d numbers into rows of d'; zeros behind, and in those behind the last.
  void copy_rows(const float* from, std::ptrdiff_t stride, float* to) const {
    for (int t = 0; t < padded_to_16(count_); ++t, to += width_) {
      const int filled = t < count_ ? d_ : 0;
      if (filled > 0) std::copy_n(from + t * stride, filled, to);
      std::fill(to + filled, to + width_, 0.0F);
    }
  }

  const DecayingHeads& heads_;
  const int d_, width_;
  int first_ = 0, count_ = 0, rows_ = 0;
  float *v_, *weights_, *out_;
  float* turned_;  // something transposed, for the moment
  float *logs_[most_states] = {}, *q_[most_states] = {}, *k_[most_states] = {};

 private:
  /// b of token t of the chunk; false where it falls too low, which a chunk's first token never does.
  bool add_logs(int t) const {
    for (int s = 0; s < heads_.states; ++s) {
      float* const own = logs_[s] + std::ptrdiff_t{t} * width_;
      if (t == 0) {
        std::fill_n(own, d_, 0.0F);
        continue;
      }
      const float* const before = own - width_;
      const float* const gates = heads_.log_gates[s] + (first_ + t) * heads_.gate_stride;
      float lowest = 0;
      for (int i = 0; i < d_; ++i) lowest = std::min(lowest, own[i] = before[i] + gates[i]);
      if (lowest < lowest_log) return false;
    }
    return true;
  }

  void padded_times_exp(const float* x, const float* logs, float sign, float* out) const {
    times_exp(x, logs, sign, 1, d_, out);
    std::fill(out + d_, out + width_, 0.0F);
  }

  ScratchStack::Frame frame_;
};

/// A chunk with its gradients.
class BackwardFading : public Fading {
 public:
  BackwardFading(const DecayingHeads& heads, const DecayingGradients& gradients, ScratchStack& scratch)
      : Fading(heads, scratch), gradients_(gradients) {
    const std::ptrdiff_t rows = std::ptrdiff_t{most_tokens} * heads.heads;
    dout_ = take(rows, width_);
    dweights_ = take(rows, most_tokens);
    dq_ = take(rows, width_);
    dk_ = take(most_tokens, width_);
    dv_ = take(most_tokens, width_);
    dstates_ = take(state_floats() * heads.states);
    std::fill_n(dstates_, state_floats() * heads.states, 0.0F);
  }

  /// A prepared chunk, from the last to the first. `states`: those before it, after the first token's gate.
  /// dlogs[s] [count, d]: the gradient of the sum of all log gates up to each token, of the whole sequence.
  void backward(const float* states, const float* dout, std::ptrdiff_t dout_stride, float* const* dlogs) {
    for (int r = 0; r < heads_.heads; ++r)
      for (int t = 0; t < count_; ++t) {
        float* const to = dout_ + (std::ptrdiff_t{r} * count_ + t) * width_;
        std::copy_n(dout + (first_ + t) * dout_stride + std::ptrdiff_t{r} * d_, d_, to);
        std::fill(to + d_, to + width_, 0.0F);
      }
    find_weights();
    transpose_small(v_, width_, padded_to_16(count_), width_, turned_, most_tokens);
    multiply_small(rows_, padded_to_16(count_), d_, dout_, width_, turned_, most_tokens, dweights_, most_tokens, false);
    mask(dweights_);
    std::fill_n(dv_, std::ptrdiff_t{count_} * width_, 0.0F);
    add_turned(weights_, dout_, dv_);
    for (int s = 0; s < heads_.states; ++s) {
      float* const dstate = dstates_ + s * state_floats();
      scale_rows_by_exp(dstate, last_logs(s), d_, width_);  // now of what the chunk's end scales
      find_dq(s, states + s * state_floats());
      find_dk(s, dstate);
      multiply_small(count_, width_, d_, k_[s], width_, dstate, width_, dv_, width_, true);
      add_gradients(s, dlogs[s]);
      add_to_dstate(s, dstate);
    }
    for (int t = 0; t < count_; ++t) {
      float* const to = gradients_.v + (first_ + t) * gradients_.v_stride;
      for (int j = 0; j < d_; ++j) to[j] += dv_[std::ptrdiff_t{t} * width_ + j];
    }
  }

 private:
  /// to [count, d'] += sum over heads of weights^T rows.
  void add_turned(const float* weights, const float* rows, float* to) const {
    for (int r = 0; r < heads_.heads; ++r) {
      const std::ptrdiff_t first = std::ptrdiff_t{r} * count_;
      transpose_small(weights + first * most_tokens, most_tokens, count_, count_, turned_, most_tokens);
      multiply_small(count_, width_, count_, turned_, most_tokens, rows + first * width_, width_, to, width_, true);
    }
  }

  /// dq_ = dO S^T + dA K', without w_s.
  void find_dq(int s, const float* state) const {
    transpose_small(state, width_, d_, width_, turned_, width_);  // columns behind d of the result aren't used
    multiply_small(rows_, width_, d_, dout_, width_, turned_, width_, dq_, width_, false);
    multiply_small(rows_, width_, count_, dweights_, most_tokens, k_[s], width_, dq_, width_, true);
  }

  /// dk_ = w_s dA^T Q' + V dS^T.
  void find_dk(int s, const float* dstate) const {
    std::fill_n(dk_, std::ptrdiff_t{count_} * width_, 0.0F);
    add_turned(dweights_, q_[s], dk_);
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t{count_} * width_; ++i) dk_[i] *= heads_.weights[s];
    transpose_small(dstate, width_, d_, width_, turned_, width_);
    multiply_small(count_, width_, d_, v_, width_, turned_, width_, dk_, width_, true);
  }

  /// Makes of the gradients of Q' and K' (dq_, dk_) those of q, k, w_s and the gates.
  void add_gradients(int s, float* dlogs) const {
    double dweight = 0;
    for (int t = 0; t < count_; ++t) {
      const float* const logs = logs_[s] + std::ptrdiff_t{t} * width_;
      float* const dlog = dlogs + (first_ + t) * std::ptrdiff_t{d_};
      float* const dk = gradients_.k + (first_ + t) * gradients_.k_stride;
      for (int i = 0; i < d_; ++i) {
        const std::ptrdiff_t at = std::ptrdiff_t{t} * width_ + i;
        dlog[i] = -dk_[at] * k_[s][at];
        dk[i] += dk_[at] * std::exp(-logs[i]);
      }
      for (int r = 0; r < heads_.heads; ++r) {
        float* const dq = gradients_.q + (first_ + t) * gradients_.q_stride + std::ptrdiff_t{r} * d_;
        for (int i = 0; i < d_; ++i) {
          const std::ptrdiff_t at = (std::ptrdiff_t{r} * count_ + t) * width_ + i;
          const float share = dq_[at] * q_[s][at];
          dweight += static_cast<double>(share);
          dlog[i] += heads_.weights[s] * share;
          dq[i] += heads_.weights[s] * dq_[at] * std::exp(logs[i]);
        }
      }
    }
    gradients_.weights[s] += dweight;
  }

  /// The gradient of the state before the chunk.
  void add_to_dstate(int s, float* dstate) const {
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t{rows_} * width_; ++i) dq_[i] = heads_.weights[s] * q_[s][i];
    transpose_small(dq_, width_, rows_, width_, turned_, rows_);
    multiply_small(d_, width_, rows_, turned_, rows_, dout_, width_, dstate, width_, true);
    scale_rows_by_exp(dstate, heads_.log_gates[s] + first_ * heads_.gate_stride, d_, width_);
  }

  const DecayingGradients& gradients_;
  float *dout_, *dweights_, *dq_, *dk_, *dv_, *dstates_;
};

/// A token after the other: decay, write and read in one pass over each state.
void read_one_by_one(const DecayingHeads& heads, int first, float* state, float* out, std::ptrdiff_t out_stride,
                     ScratchStack& scratch) {
  const int d = heads.head_size, width = padded_to_16(d);
  ScratchStack::Frame frame(scratch);
  const auto wide = static_cast<std::size_t>(width), R = static_cast<std::size_t>(heads.heads);
  float* const v = frame.take<float>(wide);
  float* const gates = frame.take<float>(wide);
  float* const ones = frame.take<float>(wide);
  float* const q = frame.take<float>(R * wide);
  float* const sums = frame.take<float>(R * wide);
  std::fill(v + d, v + width, 0.0F);
  std::fill_n(ones, width, 1.0F);
  for (int t = first; t < heads.count; ++t) {
    std::copy_n(heads.v + t * heads.v_stride, d, v);
    for (int s = 0; s < heads.states; ++s) {
      const float* const logs = heads.log_gates[s] + t * heads.gate_stride;
      times_exp(ones, logs, 1, 1, d, gates);
      for (int i = 0; i < heads.heads * d; ++i) q[i] = heads.weights[s] * heads.q[t * heads.q_stride + i];
      kernels().linear.state_step({state + s * std::ptrdiff_t{d} * width, d, width, heads.heads, gates,
                                   heads.k + t * heads.k_stride, v, q, sums, s > 0});
    }
    for (int r = 0; r < heads.heads; ++r)
      std::copy_n(sums + std::ptrdiff_t{r} * width, d, out + t * out_stride + std::ptrdiff_t{r} * d);
  }
}

}  // namespace

std::size_t decaying_state_floats(int head_size, int states) {
  return static_cast<std::size_t>(states * head_size * padded_to_16(head_size));
}

void decaying_states(const DecayingHeads& heads, float* state, float* out, std::ptrdiff_t out_stride,
                     ScratchStack& scratch) {
  int first = 0;
  if (heads.count >= fewest_of_a_chunk) {
    Fading chunk(heads, scratch);
    const int d = heads.head_size, width = chunk.width();
    for (; heads.count - first >= fewest_of_a_chunk; first += chunk.count()) {
      chunk.prepare(first);
      for (int s = 0; s < heads.states; ++s) chunk.begin_state(s, state + s * chunk.state_floats());
      const float* const rows = chunk.read(state);
      for (int r = 0; r < heads.heads; ++r)
        for (int t = 0; t < chunk.count(); ++t)
          std::copy_n(rows + (std::ptrdiff_t{r} * chunk.count() + t) * width, d,
                      out + (first + t) * out_stride + std::ptrdiff_t{r} * d);
      for (int s = 0; s < heads.states; ++s) chunk.end_state(s, state + s * chunk.state_floats());
    }
  }
  read_one_by_one(heads, first, state, out, out_stride, scratch);
}

void decaying_states_backward(const DecayingHeads& heads, const float* dout, std::ptrdiff_t dout_stride,
                              const DecayingGradients& gradients, ScratchStack& scratch) {
  BackwardFading chunk(heads, gradients, scratch);
  ScratchStack::Frame frame(scratch);
  const int d = heads.head_size;
  const std::ptrdiff_t size = chunk.state_floats() * heads.states;
  // Where chunks begin, and the states there after the first token's gate. A chunk has at least one token.
  const auto most = static_cast<std::size_t>(heads.count);
  int* const begins = frame.take<int>(most);
  std::pmr::vector<float*> states({frame.take<float>(static_cast<std::size_t>(size))}, &frame);
  std::fill_n(states.front(), size, 0.0F);
  int count = 0;
  for (int first = 0; first < heads.count; first += chunk.count(), ++count) {
    chunk.prepare(first);
    begins[count] = first;
    float *const before = states.back(), *const after = frame.take<float>(static_cast<std::size_t>(size));
    for (int s = 0; s < heads.states; ++s) chunk.begin_state(s, before + s * chunk.state_floats());
    std::copy_n(before, size, after);
    for (int s = 0; s < heads.states; ++s) chunk.end_state(s, after + s * chunk.state_floats());
    states.push_back(after);
  }
  float* dlogs[most_states] = {};
  for (int s = 0; s < heads.states; ++s) dlogs[s] = frame.take<float>(most * static_cast<std::size_t>(d));
  for (int c = count - 1; c >= 0; --c) {
    chunk.prepare(begins[c]);
    chunk.backward(states[static_cast<std::size_t>(c)], dout, dout_stride, dlogs);
  }
  // A gate is in the sums of its token and of all later ones.
  double* const later = frame.take<double>(static_cast<std::size_t>(d));
  for (int s = 0; s < heads.states; ++s) {
    std::fill_n(later, d, 0.0);
    for (int t = heads.count - 1; t >= 0; --t)
      for (int i = 0; i < d; ++i) {
        later[i] += static_cast<double>(dlogs[s][t * std::ptrdiff_t{d} + i]);
        gradients.log_gates[s][t * gradients.gate_stride + i] += static_cast<float>(later[i]);
      }
  }
}

void log_gates(const float* z, const float* bias, int n, float* out) {
  kernels().linear.log_gates(z, bias, 1 / gate_root, least_log_gate, n, out);
}

float log_gate_slope(float log_gate) {
  return log_gate <= least_log_gate ? 0 : -std::expm1(gate_root * log_gate) / gate_root;
}

}  // namespace layerboost
