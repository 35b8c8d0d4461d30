#include "mixer/dual_state_gates.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "kernels/small_products.h"

namespace layerboost {
namespace {

constexpr float long_history_bias = 4;
constexpr int gate_rows = 64;  // rows that are multiplied at a time

/// Where each gate's inputs and its matrix lie: of KV head g of state s, [inputs, d].
class Gates {
 public:
  Gates(const Config& config, const MixerSpec& spec, std::span<const float> parameters, const GateInputs& from)
      : states(state_count(spec)),
        G(config.kv_heads),
        d(config.head_size),
        on_x(has_variant(spec, DualStateVariant::gates_on_x)),
        inputs(on_x ? config.hidden : config.head_size),
        own(config, spec, parameters),
        from_(from) {}

  [[nodiscard]] const float* input(std::ptrdiff_t row, int g) const {
    return on_x ? from_.x + row * inputs : from_.k_plain + (row * G + g) * d;
  }
  [[nodiscard]] std::ptrdiff_t input_stride() const { return on_x ? inputs : std::ptrdiff_t{G} * d; }
  [[nodiscard]] std::ptrdiff_t matrix_at(int g) const { return on_x ? g * d : std::ptrdiff_t{g} * d * d; }
  [[nodiscard]] std::ptrdiff_t matrix_stride() const { return on_x ? std::ptrdiff_t{G} * d : d; }
  [[nodiscard]] const float* bias(int s, int g) const { return own.biases[s].data() + std::ptrdiff_t{g} * d; }
  /// Returns where the d log gates of one state, row and KV head begin, and where their gradients do.
  [[nodiscard]] std::ptrdiff_t gate_at(int s, std::ptrdiff_t row, int g) const {
    return ((std::ptrdiff_t{s} * from_.rows + row) * G + g) * d;
  }

  /// The matrix with rows of d' numbers: a copy in `room` where d isn't d'.
  [[nodiscard]] std::pair<const float*, std::ptrdiff_t> wide_matrix(int s, int g, float* room) const {
    const float* const matrix = own.gates[s].data() + matrix_at(g);
    const int width = padded_to_16(d);
    if (width == d) return {matrix, matrix_stride()};
    for (int i = 0; i < inputs; ++i) {
      std::copy_n(matrix + i * matrix_stride(), d, room + std::ptrdiff_t{i} * width);
      std::fill_n(room + std::ptrdiff_t{i} * width + d, width - d, 0.0F);
    }
    return {room, width};
  }

  const int states, G, d;
  const bool on_x;
  const int inputs;
  const DualStateParameters<const float> own;

 private:
  const GateInputs& from_;
};

}  // namespace

template <typename Number>
DualStateParameters<Number>::DualStateParameters(const Config& config, const MixerSpec& spec, std::span<Number> all) {
  const auto d = static_cast<std::size_t>(config.head_size), kv = static_cast<std::size_t>(config.kv_size());
  const bool on_x = has_variant(spec, DualStateVariant::gates_on_x);
  const auto take = [&](std::size_t count) {
    LB_CHECK(count <= all.size());
    const std::span<Number> part = all.first(count);
    all = all.subspan(count);
    return part;
  };
  for (int s = 0; s < state_count(spec); ++s) {
    gates[s] = take(kv * (on_x ? static_cast<std::size_t>(config.hidden) : d));
    biases[s] = take(kv);
  }
  if (state_count(spec) > 1) blend = take(most_states);
  if (has_variant(spec, DualStateVariant::output_norm)) norm = take(d);
  LB_CHECK(all.empty());
}

template struct DualStateParameters<float>;
template struct DualStateParameters<const float>;

std::vector<ParameterShape> dual_state_shapes(const Config& config, const MixerSpec& spec) {
  const std::int64_t G = config.kv_heads, d = config.head_size;
  const std::vector<std::int64_t> gate = has_variant(spec, DualStateVariant::gates_on_x)
                                             ? std::vector<std::int64_t>{config.hidden, G * d}
                                             : std::vector<std::int64_t>{G, d, d};
  std::vector<ParameterShape> shapes = {{"history_gate", gate}, {"history_bias", {G, d}}};
  if (state_count(spec) > 1) {
    shapes.push_back({"recency_gate", gate});
    shapes.push_back({"recency_bias", {G, d}});
    shapes.push_back({"blend", {most_states}});
  }
  if (has_variant(spec, DualStateVariant::output_norm)) shapes.push_back({"norm", {d}});
  return shapes;
}

std::vector<float> initial_dual_state(const Config& config, const MixerSpec& spec) {
  std::size_t count = 0;
  for (const ParameterShape& shape : dual_state_shapes(config, spec)) count += shape.count();
  std::vector<float> values(count);
  const DualStateParameters<float> own(config, spec, values);
  const bool on_x = has_variant(spec, DualStateVariant::gates_on_x);
  const auto d = static_cast<std::size_t>(config.head_size), columns = on_x ? own.biases[0].size() : d;
  // On x each gate has an input of its own, as far as there are so many.
  for (std::size_t row = 0; row < own.gates[0].size() / columns; ++row) {
    const std::size_t column = on_x ? row : row % d;
    if (column < columns) own.gates[0][row * columns + column] = 1;
  }
  if (!has_variant(spec, DualStateVariant::short_history)) std::ranges::fill(own.biases[0], long_history_bias);
  Random random(1);
  const double spread = std::sqrt(1 / (3.0 * (on_x ? config.hidden : config.head_size)));
  for (float& value : own.gates[1]) value = static_cast<float>(spread * random.normal());
  std::ranges::fill(own.norm, 1.0F);
  return values;
}

std::vector<float> blend_weights(std::span<const float> blend) {
  if (blend.empty()) return {1};
  const float most = std::max(blend[0], blend[1]), first = std::exp(blend[0] - most),
              second = std::exp(blend[1] - most);
  return {first / (first + second), second / (first + second)};
}

void dual_state_log_gates(const Config& config, const MixerSpec& spec, std::span<const float> parameters,
                          const GateInputs& inputs, float* log_gates, KernelScratch& scratch) {
  const Gates gates(config, spec, parameters, inputs);
  const int tiles = (inputs.rows + gate_rows - 1) / gate_rows, width = padded_to_16(gates.d);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(3) schedule(dynamic)
  for (int t = 0; t < tiles; ++t) {
    for (int s = 0; s < gates.states; ++s) {
      for (int g = 0; g < gates.G; ++g) {
        ScratchStack::Frame frame(threads.mine());
        float* const z = frame.take<float>(static_cast<std::size_t>(gate_rows * width));
        const auto [matrix, stride] = gates.wide_matrix(
            s, g, frame.take<float>(width == gates.d ? 0 : static_cast<std::size_t>(gates.inputs * width)));
        const int first = t * gate_rows, count = std::min(gate_rows, inputs.rows - first);
        kernels().linear.multiply(
            {count, width, gates.inputs, gates.input(first, g), gates.input_stride(), matrix, stride, z, width, false});
        for (int i = 0; i < count; ++i)
          layerboost::log_gates(z + std::ptrdiff_t{i} * width, gates.bias(s, g), gates.d,
                                log_gates + gates.gate_at(s, first + i, g));
      }
    }
  }
}

void dual_state_gates_backward(const Config& config, const MixerSpec& spec, std::span<const float> parameters,
                               const GateInputs& inputs, const float* log_gates, float* dlog_gates, float* dx,
                               float* dk_plain, std::span<float> parameter_gradients, KernelScratch& scratch) {
  const Gates gates(config, spec, parameters, inputs);
  const DualStateParameters<float> gradients(config, spec, parameter_gradients);
  const int d = gates.d, width = padded_to_16(d), in_width = padded_to_16(gates.inputs), rows = inputs.rows;
  const auto wide_in = static_cast<std::size_t>(in_width);
  const std::ptrdiff_t all = std::ptrdiff_t{gates.states} * rows * gates.G * d, turned = std::ptrdiff_t{d} * in_width;
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < all; ++i) dlog_gates[i] *= log_gate_slope(log_gates[i]);
  const float* const dz = dlog_gates;

  ScratchStack::Frame outer(scratch.caller());
  float* const matrices = outer.take<float>(static_cast<std::size_t>(gates.states * gates.G * turned));  // [d, inputs']
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int s = 0; s < gates.states; ++s) {
    for (int g = 0; g < gates.G; ++g) {
      float* const own = matrices + (std::ptrdiff_t{s} * gates.G + g) * turned;
      std::fill_n(own, turned, 0.0F);
      kernels().linear.transpose(gates.own.gates[s].data() + gates.matrix_at(g), gates.matrix_stride(), gates.inputs, d,
                                 own, in_width);
      // The matrix and the bias, tile by tile, so that no order of threads matters.
      ScratchStack::Frame frame(threads.mine());
      float* const dmatrix = frame.take<float>(static_cast<std::size_t>(gates.inputs * width));
      float* const wide_dz = frame.take<float>(static_cast<std::size_t>(gate_rows * width));
      float* const turned_input = frame.take<float>(static_cast<std::size_t>(gates.inputs * gate_rows));
      for (int first = 0; first < rows; first += gate_rows) {
        const int count = std::min(gate_rows, rows - first);
        for (int i = 0; i < count; ++i) {
          const float* const row = dz + gates.gate_at(s, first + i, g);
          std::copy_n(row, d, wide_dz + std::ptrdiff_t{i} * width);
          std::fill_n(wide_dz + std::ptrdiff_t{i} * width + d, width - d, 0.0F);
          for (int j = 0; j < d; ++j) gradients.biases[s][static_cast<std::size_t>(g * d + j)] += row[j];
        }
        kernels().linear.transpose(gates.input(first, g), gates.input_stride(), count, gates.inputs, turned_input,
                                   gate_rows);
        kernels().linear.multiply(
            {gates.inputs, width, count, turned_input, gate_rows, wide_dz, width, dmatrix, width, first > 0});
      }
      float* const to = gradients.gates[s].data() + gates.matrix_at(g);
      for (int i = 0; i < gates.inputs; ++i)
        for (int j = 0; j < d; ++j) to[i * gates.matrix_stride() + j] += dmatrix[std::ptrdiff_t{i} * width + j];
    }
  }
  const int tiles = (rows + gate_rows - 1) / gate_rows;
#pragma omp parallel for schedule(dynamic)
  for (int t = 0; t < tiles; ++t) {
    ScratchStack::Frame frame(threads.mine());
    float* const dinput = frame.take<float>(static_cast<std::size_t>(gate_rows) * wide_in);
    const int first = t * gate_rows, count = std::min(gate_rows, rows - first);
    for (int g = 0; g < gates.G; ++g) {
      for (int s = 0; s < gates.states; ++s)
        kernels().linear.multiply({count, in_width, d, dz + gates.gate_at(s, first, g), std::ptrdiff_t{gates.G} * d,
                                   matrices + (std::ptrdiff_t{s} * gates.G + g) * turned, in_width, dinput, in_width,
                                   s > 0});
      for (int i = 0; i < count; ++i) {
        const std::ptrdiff_t row = first + i;
        float* const to = gates.on_x ? dx + row * gates.inputs : dk_plain + (row * gates.G + g) * d;
        for (int j = 0; j < gates.inputs; ++j) to[j] += dinput[std::ptrdiff_t{i} * in_width + j];
      }
    }
  }
}

}  // namespace layerboost
