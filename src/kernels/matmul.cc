#include "kernels/matmul.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "kernels/bf16.h"
#include "kernels/panels.h"
#include "kernels/weight_memory.h"

namespace layerboost {
namespace {

using dnnl::memory;

constexpr int max_rows = 256;

/// Row counts for which primitives exist: few enough to keep, close enough to waste little.
int bucket(int rows) {
  for (const int small : {1, 2, 4, 8})
    if (rows <= small) return small;
  return (rows + 15) / 16 * 16;
}

/// Whether oneDNN's products in this precision are what they should be. Below AVX-512 it has none in bf16, and a row of
/// f32 depends on how many others there are; below AVX-512 with VNNI its int8 adds pairs of products in 16 bits, which
/// saturate. What it does with AVX2's own VNNI wasn't tried.
bool one_dnn_has(Precision precision) {
  static const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const unsigned wanted = precision == Precision::int8 ? dnnl_cpu_isa_avx512_core_vnni : dnnl_cpu_isa_avx512_core;
  return (isa & wanted) == wanted;
}

struct Types {
  memory::data_type source, weight;
};

Types types_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return {memory::data_type::f32, memory::data_type::f32};
    case Precision::bf16:
      return {memory::data_type::bf16, memory::data_type::bf16};
    case Precision::int8:
      return {memory::data_type::s8, memory::data_type::s8};
  }
  LB_CHECK(false);
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// oneDNN's stream is cheap but not shareable between threads.
dnnl::stream& stream() {
  thread_local dnnl::stream mine(engine());
  return mine;
}

memory::desc scale_layout(std::int64_t out) { return {{1, out}, memory::data_type::f32, memory::format_tag::ab}; }

/// One product of fixed shape. The layout of weights is the one that oneDNN chooses for `max_rows` rows, for every
/// number of rows.
dnnl::matmul::primitive_desc describe(int rows, std::int64_t out, std::int64_t in, Precision precision,
                                      const memory::desc& weights) {
  const Types types = types_of(precision);
  const memory::desc source({rows, in}, types.source, memory::format_tag::ab);
  const memory::desc target({rows, out}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (precision == Precision::int8) {
    // The channels' scales as a factor [1, out]: with output scales given at run time oneDNN 2.6 takes a path that is
    // three times slower for few rows.
    dnnl::post_ops scale;
    scale.append_binary(dnnl::algorithm::binary_mul, scale_layout(out));
    attributes.set_post_ops(scale);
  }
  return {dnnl::matmul::desc(source, weights, target), attributes, engine()};
}

memory::desc packed_layout(std::int64_t out, std::int64_t in, Precision precision) {
  const memory::desc any({in, out}, types_of(precision).weight, memory::format_tag::any);
  return describe(max_rows, out, in, precision, any).weights_desc();
}

/// The primitive for a shape, made once per process.
const dnnl::matmul& primitive(int rows, std::int64_t out, std::int64_t in, Precision precision,
                              const memory::desc& weights, memory::desc& scratchpad) {
  struct Entry {
    dnnl::matmul matmul;
    memory::desc scratchpad;
  };
  static std::mutex mutex;
  static std::map<std::tuple<int, std::int64_t, std::int64_t, Precision>, Entry> entries;
  const std::lock_guard lock(mutex);
  const auto key = std::tuple(rows, out, in, precision);
  auto it = entries.find(key);
  if (it == entries.end()) {
    const auto description = describe(rows, out, in, precision, weights);
    it = entries.emplace(key, Entry{dnnl::matmul(description), description.scratchpad_desc()}).first;
  }
  scratchpad = it->second.scratchpad;
  return it->second.matmul;
}

/// Rounds a row to int8 and returns its scale: NaN if one of its values isn't a finite number, so that the channel's
/// products aren't numbers either.
float quantize_row(const float* row, std::int64_t size, std::int8_t* out) {
  float largest = 0, spoilt = 0;
  for (std::int64_t j = 0; j < size; ++j) {
    largest = std::max(largest, std::fabs(row[j]));
    spoilt += row[j] * 0.0F;
  }
  if (spoilt != 0) {
    std::fill(out, out + size, std::int8_t{0});
    return spoilt;
  }
  const float inverse = largest > 0 ? 127.0F / largest : 0.0F;
  for (std::int64_t j = 0; j < size; ++j) out[j] = static_cast<std::int8_t>(std::nearbyint(row[j] * inverse));
  return largest / 127.0F;
}

}  // namespace

struct PackedMatrix::Impl {
  std::int64_t out, in;
  Precision precision;
  std::size_t bytes = 0;     // of `packed`
  memory::desc layout = {};  // oneDNN's; empty: panels
  std::shared_ptr<std::byte> packed = {};
  std::vector<float> channel_scales = {};  // int8: [out]
};

PackedMatrix::PackedMatrix() = default;
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

PackedMatrix::PackedMatrix(std::int64_t out, std::int64_t in, Precision precision, const RowSource& rows)
    : impl_(std::make_unique<Impl>(Impl{out, in, precision})) {
  if (one_dnn_has(precision)) {
    impl_->layout = packed_layout(out, in, precision);
    impl_->bytes = impl_->layout.get_size();
  } else {
    impl_->bytes = panel_bytes(out, in, precision);
  }
  AlignedBuffer plain;  // [out, in] in the final type
  std::byte* const base = plain.reserve(static_cast<std::size_t>(out * in * element_bytes(precision)));
  if (precision == Precision::int8) impl_->channel_scales.resize(static_cast<std::size_t>(out));

  impl_->packed = allocate_weights(impl_->bytes);

  constexpr std::int64_t chunk = 64;
#pragma omp parallel
  {
    std::vector<float> buffer(static_cast<std::size_t>(chunk * in));
#pragma omp for schedule(dynamic)
    for (std::int64_t first = 0; first < out; first += chunk) {
      const std::int64_t count = std::min(chunk, out - first);
      if (precision == Precision::f32) {
        rows(first, count, reinterpret_cast<float*>(base) + first * in);
        continue;
      }
      rows(first, count, buffer.data());
      if (precision == Precision::bf16) {
        auto* const target = reinterpret_cast<std::uint16_t*>(base) + first * in;
        for (std::int64_t i = 0; i < count * in; ++i) target[i] = to_bf16(buffer[static_cast<std::size_t>(i)]);
      } else {
        auto* const target = reinterpret_cast<std::int8_t*>(base) + first * in;
        for (std::int64_t r = 0; r < count; ++r)
          impl_->channel_scales[static_cast<std::size_t>(first + r)] =
              quantize_row(&buffer[static_cast<std::size_t>(r * in)], in, target + r * in);
      }
    }
  }

  if (impl_->layout.is_zero()) {
    pack_panels(base, out, in, precision, impl_->packed.get());
    return;
  }
  memory source({{in, out}, types_of(precision).weight, memory::format_tag::ba}, engine(), base);
  memory target(impl_->layout, engine(), impl_->packed.get());
  dnnl::reorder(source, target).execute(stream(), source, target);
  stream().wait();
}

int PackedMatrix::in() const { return static_cast<int>(impl_->in); }
int PackedMatrix::out() const { return static_cast<int>(impl_->out); }
Precision PackedMatrix::precision() const { return impl_->precision; }
std::size_t PackedMatrix::bytes() const {
  return impl_ == nullptr ? 0 : impl_->bytes + impl_->channel_scales.size() * sizeof(float);
}

Product PackedMatrix::multiply(const Activations& x, float* y, KernelScratch& scratch) const {
  LB_CHECK(x.cols() == in() && x.rows() <= max_rows && x.precision() == impl_->precision);
  if (x.rows() == 0) return {y, x.scales(), 0, out()};
  if (impl_->layout.is_zero()) {
    multiply_panels(x, impl_->packed.get(), impl_->out, impl_->channel_scales.data(), y, scratch);
    return {y, x.scales(), x.rows(), out()};
  }
  const int rows = bucket(x.rows());
  memory::desc scratchpad_layout;
  const dnnl::matmul& product =
      primitive(rows, impl_->out, impl_->in, impl_->precision, impl_->layout, scratchpad_layout);
  ScratchStack::Frame frame(scratch.caller());
  const Types types = types_of(impl_->precision);
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, memory({{rows, impl_->in}, types.source, memory::format_tag::ab}, engine(), x.f32(0))},
      {DNNL_ARG_WEIGHTS, memory(impl_->layout, engine(), impl_->packed.get())},
      {DNNL_ARG_DST, memory({{rows, impl_->out}, memory::data_type::f32, memory::format_tag::ab}, engine(), y)},
      {DNNL_ARG_SCRATCHPAD, memory(scratchpad_layout, engine(), frame.take<std::byte>(scratchpad_layout.get_size()))}};
  // oneDNN only reads the scales, but takes memory as void* for inputs, too: hence the const_cast.
  if (impl_->precision == Precision::int8)
    arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] =
        memory(scale_layout(impl_->out), engine(), const_cast<float*>(impl_->channel_scales.data()));
  product.execute(stream(), arguments);
  stream().wait();
  return {y, x.scales(), x.rows(), out()};
}

}  // namespace layerboost
