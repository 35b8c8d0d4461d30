#include "kernels/linear_attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/small_products.h"

namespace layerboost {
namespace {

constexpr int chunk_size = 64;

/// The sizes of a head: of numbers d -> d', of features 2 f -> F.
struct Sizes {
  explicit Sizes(int head_size, int map_size)
      : d(head_size),
        f(map_size),
        width(padded_to_16(head_size)),
        map(padded_to_16(map_size)),
        features(padded_to_16(2 * map_size)) {}
  int d, f, width, map, features;

  [[nodiscard]] std::ptrdiff_t state() const { return std::ptrdiff_t{features} * (width + 1); }
  [[nodiscard]] int widest() const { return std::max({chunk_size, width, features}); }
};

/// Rows of `n` numbers into rows of `wide`, zeros behind and in rows count .. padded_to_16(count) - 1.
void copy_rows(const float* from, std::ptrdiff_t stride, int count, int n, int wide, float* to) {
  for (int i = 0; i < padded_to_16(count); ++i, to += wide) {
    const int filled = i < count ? n : 0;
    if (filled > 0) std::copy_n(from + i * stride, n, to);
    std::fill(to + filled, to + wide, 0.0F);
  }
}

void scale_rows(float* rows, int count, int n, const float* factors) {
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < n; ++j) rows[std::ptrdiff_t{i} * n + j] *= factors[i];
}

/// One side's features of a chunk.
struct Side {
  const float* map;  // [d, map]
  float* features;   // [chunk, F], rows behind the last zero
};

/// What a chunk computes forward.
struct Chunk {
  int count = 0, padded_count = 0;
  Side q, k;
  float* logs;      // [chunk] cumulative log decays
  float* since;     // [chunk] decay from the chunk's beginning to each token
  float* until;     // [chunk] decay from each token to the chunk's end
  float* q_scaled;  // [chunk, F] times since
  float* k_scaled;  // [chunk, F] times until
  float* weights;   // [chunk, chunk] w_ij
  float* v;         // [chunk, d']
  float* sums;      // [chunk, d']
  float decay = 1;  // over the chunk
};

class Head {
 public:
  Head(const LinearHead& head, ScratchStack& scratch)
      : head_(head), sizes_(head.head_size, head.map_size), frame_(scratch) {
    chunk_.q = {pad_map(head.q_map), take(chunk_size, sizes_.features)};
    chunk_.k = {pad_map(head.k_map), take(chunk_size, sizes_.features)};
    chunk_.logs = take(chunk_size);
    chunk_.since = take(chunk_size);
    chunk_.until = take(chunk_size);
    chunk_.q_scaled = take(chunk_size, sizes_.features);
    chunk_.k_scaled = take(chunk_size, sizes_.features);
    chunk_.weights = take(chunk_size, chunk_size);
    chunk_.v = take(chunk_size, sizes_.width);
    chunk_.sums = take(chunk_size, sizes_.width);
    turned_ = take(sizes_.widest(), sizes_.widest());
    projected_ = take(chunk_size, sizes_.map);
  }

  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const Chunk& chunk() const { return chunk_; }

  /// Features, decays and weights of tokens first .. first + count - 1.
  void prepare(int first, int count) {
    const int F = sizes_.features;
    chunk_.count = count;
    chunk_.padded_count = padded_to_16(count);
    make_features(head_.q + first * head_.q_stride, head_.q_stride, chunk_.q);
    make_features(head_.k + first * head_.k_stride, head_.k_stride, chunk_.k);
    copy_rows(head_.v + first * head_.v_stride, head_.v_stride, count, sizes_.d, sizes_.width, chunk_.v);
    std::copy_n(chunk_.q.features, std::ptrdiff_t{count} * F, chunk_.q_scaled);
    std::copy_n(chunk_.k.features, std::ptrdiff_t{chunk_.padded_count} * F, chunk_.k_scaled);
    transpose_small(chunk_.k.features, F, chunk_.padded_count, F, turned_, chunk_size);
    multiply_small(count, chunk_.padded_count, F, chunk_.q.features, F, turned_, chunk_size, chunk_.weights, chunk_size,
                   false);
    if (head_.log_decay != nullptr) make_decays(first);
    mask(chunk_.weights);
  }

  /// Zero above the diagonal, decayed below.
  void mask(float* weights) const {
    for (int i = 0; i < chunk_.count; ++i) {
      float* const row = weights + std::ptrdiff_t{i} * chunk_size;
      if (head_.log_decay != nullptr) kernels().linear.decay_row(row, chunk_.logs, chunk_.logs[i], i + 1);
      std::fill(row + i + 1, row + chunk_.padded_count, 0.0F);
    }
  }

  /// sums [chunk, d'] of a prepared chunk, and its totals.
  void read(const float* state, float* totals, std::ptrdiff_t totals_stride) const {
    const int F = sizes_.features, width = sizes_.width;
    multiply_small(chunk_.count, width, chunk_.count, chunk_.weights, chunk_size, chunk_.v, width, chunk_.sums, width,
                   false);
    multiply_small(chunk_.count, width, F, chunk_.q_scaled, F, state, width, chunk_.sums, width, true);
    const float* const z = state + std::ptrdiff_t{F} * width;
    for (int i = 0; i < chunk_.count; ++i) {
      const float* const weights = chunk_.weights + std::ptrdiff_t{i} * chunk_size;
      const float* const features = chunk_.q_scaled + std::ptrdiff_t{i} * F;
      float total = 0;
      for (int j = 0; j <= i; ++j) total += weights[j];
      for (int c = 0; c < F; ++c) total += features[c] * z[c];
      totals[i * totals_stride] = total;
    }
  }

  /// Adds a prepared chunk to the state.
  void write(float* state) const {
    const int F = sizes_.features, width = sizes_.width;
    if (head_.log_decay != nullptr)
      for (std::ptrdiff_t i = 0; i < sizes_.state(); ++i) state[i] *= chunk_.decay;
    transpose_small(chunk_.k_scaled, F, chunk_.padded_count, F, turned_, chunk_size);
    multiply_small(F, width, chunk_.count, turned_, chunk_size, chunk_.v, width, state, width, true);
    float* const z = state + std::ptrdiff_t{F} * width;
    for (int j = 0; j < chunk_.count; ++j)
      for (int c = 0; c < F; ++c) z[c] += chunk_.k_scaled[std::ptrdiff_t{j} * F + c];
  }

 protected:
  float* take(std::ptrdiff_t rows, std::ptrdiff_t cols = 1) {
    return frame_.take<float>(static_cast<std::size_t>(rows * cols));
  }

  const LinearHead& head_;
  const Sizes sizes_;
  Chunk chunk_;
  float* turned_;     // something transposed, for the moment
  float* projected_;  // [chunk, map]

 private:
  float* pad_map(const float* map) {
    float* const to = take(sizes_.d, sizes_.map);
    for (int c = 0; c < sizes_.d; ++c) {
      std::copy_n(map + std::ptrdiff_t{c} * sizes_.f, sizes_.f, to + std::ptrdiff_t{c} * sizes_.map);
      std::fill(to + std::ptrdiff_t{c} * sizes_.map + sizes_.f, to + std::ptrdiff_t{c + 1} * sizes_.map, 0.0F);
    }
    return to;
  }

  void make_features(const float* rows, std::ptrdiff_t stride, const Side& side) const {
    const int F = sizes_.features;
    multiply_small(chunk_.count, sizes_.map, sizes_.d, rows, stride, side.map, sizes_.map, projected_, sizes_.map,
                   false);
    for (int i = 0; i < chunk_.padded_count; ++i) {
      float* const features = side.features + std::ptrdiff_t{i} * F;
      if (i < chunk_.count) kernels().linear.features(projected_ + std::ptrdiff_t{i} * sizes_.map, sizes_.f, features);
      std::fill(features + (i < chunk_.count ? 2 * sizes_.f : 0), features + F, 0.0F);
    }
  }

  void make_decays(int first) {
    float sum = 0;
    for (int i = 0; i < chunk_.count; ++i) chunk_.logs[i] = sum += head_.log_decay[first + i];
    chunk_.decay = std::exp(sum);
    for (int i = 0; i < chunk_.count; ++i) {
      chunk_.since[i] = std::exp(chunk_.logs[i]);
      chunk_.until[i] = std::exp(sum - chunk_.logs[i]);
    }
    scale_rows(chunk_.q_scaled, chunk_.count, sizes_.features, chunk_.since);
    scale_rows(chunk_.k_scaled, chunk_.count, sizes_.features, chunk_.until);
  }

  ScratchStack::Frame frame_;
};

/// A head with the gradients of its chunks.
class BackwardHead : public Head {
 public:
  BackwardHead(const LinearHead& head, const LinearGradients& gradients, ScratchStack& scratch)
      : Head(head, scratch),
        gradients_(gradients),
        dsums_(take(chunk_size, sizes_.width)),
        dtotals_(take(chunk_size)),
        dweights_(take(sizes_.widest(), sizes_.widest())),
        dq_(take(chunk_size, sizes_.features)),
        dk_(take(chunk_size, sizes_.features)),
        dv_(take(chunk_size, sizes_.width)),
        dstate_(take(sizes_.state())) {
    std::fill_n(dstate_, sizes_.state(), 0.0F);
  }

  /// A chunk that was prepared, given the state before it; from the last chunk to the first. dlogs [count]: the
  /// gradient of the cumulative log decay at each token (of the whole sequence).
  void backward(int first, const float* state, const float* dsums, std::ptrdiff_t dsums_stride, const float* dtotals,
                std::ptrdiff_t dtotals_stride, float* dlogs) {
    copy_rows(dsums, dsums_stride, chunk_.count, sizes_.d, sizes_.width, dsums_);
    for (int i = 0; i < chunk_.count; ++i) dtotals_[i] = dtotals[i * dtotals_stride];
    find_dweights();
    find_dq(state);
    find_dk();
    find_dv(first);
    update_dstate();
    for (int i = 0; dlogs != nullptr && i < chunk_.count; ++i) dlogs[i] = dlog(i);
    add_through_features(chunk_.q, dq_, head_.q + first * head_.q_stride, head_.q_stride,
                         gradients_.q + first * gradients_.q_stride, gradients_.q_stride, gradients_.q_map);
    add_through_features(chunk_.k, dk_, head_.k + first * head_.k_stride, head_.k_stride,
                         gradients_.k + first * gradients_.k_stride, gradients_.k_stride, gradients_.k_map);
  }

 private:
  [[nodiscard]] bool decays() const { return head_.log_decay != nullptr; }

  /// dw_ij = dsums_i . v_j + dtotals_i, times the decay between.
  void find_dweights() {
    const int n = chunk_.count, width = sizes_.width;
    transpose_small(chunk_.v, width, chunk_.padded_count, width, turned_, chunk_size);
    multiply_small(n, chunk_.padded_count, width, dsums_, width, turned_, chunk_size, dweights_, chunk_size, false);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j <= i; ++j) dweights_[std::ptrdiff_t{i} * chunk_size + j] += dtotals_[i];
    mask(dweights_);
  }

  void find_dq(const float* state) {
    const int n = chunk_.count, width = sizes_.width, F = sizes_.features;
    const float* const z = state + std::ptrdiff_t{F} * width;
    transpose_small(state, width, F, width, turned_, F);
    multiply_small(n, F, width, dsums_, width, turned_, F, dq_, F, false);
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < F; ++c) dq_[std::ptrdiff_t{i} * F + c] += dtotals_[i] * z[c];
    if (decays()) scale_rows(dq_, n, F, chunk_.since);
    multiply_small(n, F, n, dweights_, chunk_size, chunk_.k.features, F, dq_, F, true);
  }

  void find_dk() {
    const int n = chunk_.count, width = sizes_.width, F = sizes_.features;
    const float* const dz = dstate_ + std::ptrdiff_t{F} * width;
    transpose_small(dstate_, width, F, width, turned_, F);
    multiply_small(n, F, width, chunk_.v, width, turned_, F, dk_, F, false);
    for (int j = 0; j < n; ++j)
      for (int c = 0; c < F; ++c) dk_[std::ptrdiff_t{j} * F + c] += dz[c];
    if (decays()) scale_rows(dk_, n, F, chunk_.until);
    transpose_small(dweights_, chunk_size, n, chunk_.padded_count, turned_, chunk_size);
    multiply_small(n, F, n, turned_, chunk_size, chunk_.q.features, F, dk_, F, true);
  }

  void find_dv(int first) {
    const int n = chunk_.count, width = sizes_.width, F = sizes_.features;
    transpose_small(chunk_.weights, chunk_size, n, chunk_.padded_count, turned_, chunk_size);
    multiply_small(n, width, n, turned_, chunk_size, dsums_, width, dv_, width, false);
    multiply_small(n, width, F, chunk_.k_scaled, F, dstate_, width, dv_, width, true);
    for (int j = 0; j < n; ++j) {
      float* const to = gradients_.v + (first + j) * gradients_.v_stride;
      for (int c = 0; c < sizes_.d; ++c) to[c] += dv_[std::ptrdiff_t{j} * width + c];
    }
  }

  /// The gradient of the state before the chunk from that of the state after it.
  void update_dstate() {
    const int n = chunk_.count, width = sizes_.width, F = sizes_.features;
    if (decays())
      for (std::ptrdiff_t i = 0; i < sizes_.state(); ++i) dstate_[i] *= chunk_.decay;
    transpose_small(chunk_.q_scaled, F, n, F, turned_, chunk_size);
    multiply_small(F, width, n, turned_, chunk_size, dsums_, width, dstate_, width, true);
    float* const dz = dstate_ + std::ptrdiff_t{F} * width;
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < F; ++c) dz[c] += dtotals_[i] * chunk_.q_scaled[std::ptrdiff_t{i} * F + c];
  }

  /// Weights are functions of the difference of cumulative logs, as if e^b_i were a factor of phi_q(q_i) and e^-b_j of
  /// phi_k(k_j).
  [[nodiscard]] float dlog(int i) const {
    const std::ptrdiff_t row = std::ptrdiff_t{i} * sizes_.features;
    float sum = 0;
    for (int c = 0; c < 2 * sizes_.f; ++c)
      sum += chunk_.q.features[row + c] * dq_[row + c] - chunk_.k.features[row + c] * dk_[row + c];
    return sum;
  }

  /// du = p (dp - p . dp) - n (dn - n . dn) with features [p, n]; then dx += du W^T, dW += x^T du.
  void add_through_features(const Side& side, const float* dfeatures, const float* x, std::ptrdiff_t x_stride,
                            float* dx, std::ptrdiff_t dx_stride, float* dmap) {
    const int n = chunk_.count, f = sizes_.f, map = sizes_.map, F = sizes_.features, d = sizes_.d;
    for (int i = 0; i < n; ++i) {
      const float* const p = side.features + std::ptrdiff_t{i} * F;
      const float* const dp = dfeatures + std::ptrdiff_t{i} * F;
      float plus = 0, minus = 0;
      for (int c = 0; c < f; ++c) plus += p[c] * dp[c];
      for (int c = f; c < 2 * f; ++c) minus += p[c] * dp[c];
      float* const du = projected_ + std::ptrdiff_t{i} * map;
      for (int c = 0; c < f; ++c) du[c] = p[c] * (dp[c] - plus) - p[f + c] * (dp[f + c] - minus);
      std::fill(du + f, du + map, 0.0F);
    }
    const int width = sizes_.width;
    transpose_small(side.map, map, d, map, turned_, width);  // [map, d'], whatever is behind d isn't used
    multiply_small(n, width, map, projected_, map, turned_, width, dv_, width, false);
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < d; ++c) dx[i * dx_stride + c] += dv_[std::ptrdiff_t{i} * width + c];
    transpose_small(x, x_stride, n, d, turned_, chunk_size);
    multiply_small(d, map, n, turned_, chunk_size, projected_, map, dweights_, map, false);
    for (int c = 0; c < d; ++c)
      for (int j = 0; j < f; ++j) dmap[std::ptrdiff_t{c} * f + j] += dweights_[std::ptrdiff_t{c} * map + j];
  }

  const LinearGradients& gradients_;
  float *dsums_, *dtotals_, *dweights_, *dq_, *dk_, *dv_, *dstate_;
};

}  // namespace

std::size_t linear_state_floats(int head_size, int map_size) {
  return static_cast<std::size_t>(Sizes(head_size, map_size).state());
}

void linear_attention(const LinearHead& head, float* state, float* sums, std::ptrdiff_t sums_stride, float* totals,
                      std::ptrdiff_t totals_stride, ScratchStack& scratch) {
  Head chunks(head, scratch);
  const int width = chunks.sizes().width;
  for (int first = 0; first < head.count; first += chunk_size) {
    chunks.prepare(first, std::min(chunk_size, head.count - first));
    chunks.read(state, totals + first * totals_stride, totals_stride);
    for (int i = 0; i < chunks.chunk().count; ++i)
      std::copy_n(chunks.chunk().sums + std::ptrdiff_t{i} * width, head.head_size, sums + (first + i) * sums_stride);
    chunks.write(state);
  }
}

void linear_attention_backward(const LinearHead& head, const float* dsums, std::ptrdiff_t dsums_stride,
                               const float* dtotals, std::ptrdiff_t dtotals_stride, const LinearGradients& gradients,
                               ScratchStack& scratch) {
  BackwardHead chunks(head, gradients, scratch);
  ScratchStack::Frame frame(scratch);
  const std::ptrdiff_t size = chunks.sizes().state();
  const int count = (head.count + chunk_size - 1) / chunk_size;
  // The state before each chunk.
  float* const states = frame.take<float>(static_cast<std::size_t>(size * std::max(count, 1)));
  std::fill_n(states, size, 0.0F);
  for (int c = 0; c + 1 < count; ++c) {
    chunks.prepare(c * chunk_size, chunk_size);
    float* const state = states + size * (c + 1);
    std::copy_n(state - size, size, state);
    chunks.write(state);
  }
  float* const dlogs = head.log_decay != nullptr ? frame.take<float>(static_cast<std::size_t>(head.count)) : nullptr;
  for (int c = count - 1; c >= 0; --c) {
    const int first = c * chunk_size;
    chunks.prepare(first, std::min(chunk_size, head.count - first));
    chunks.backward(first, states + size * c, dsums + first * dsums_stride, dsums_stride,
                    dtotals + first * dtotals_stride, dtotals_stride, dlogs == nullptr ? nullptr : dlogs + first);
  }
  double later = 0;
  for (int i = head.count - 1; dlogs != nullptr && i >= 0; --i) {
    later += static_cast<double>(dlogs[i]);
    gradients.log_decay[i] += static_cast<float>(later);
  }
}

}  // namespace layerboost
