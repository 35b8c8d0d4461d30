// A model as it lies on disk: configuration, named tensors in mapped memory, tokenizer. Two readers: GGUF and
// safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "text/tokenizer.h"

namespace layerboost {

/// How numbers are stored; the quantised types, from q4_0 on, are GGUF's.
enum class DType {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q4_k,
  q5_k,
  q6_k,
  q2_k,
  q3_k,
  iq4_nl,
  iq4_xs,
  tq1_0,
  tq2_0,
  mxfp4,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq1_s,
  iq1_m,
};

/// "F32", "Q4_1", ...
const char* name_of(DType dtype);

/// A tensor in a mapped file. Shapes are outermost first: a linear layer's weight is [out, in], a vector [n].
struct Tensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  // contiguous, exactly the size that dtype and shape ask for
  int rope_heads = 0;    // > 0: rows are those of so many heads in another order than RoPE wants; read_rows() undoes it
  int rope_rotated = 0;  // of such heads, the first so many rows have RoPE; 0: all, in GGUF's interleaved order

  [[nodiscard]] std::int64_t rows() const { return shape.size() < 2 ? 1 : shape[0]; }
  [[nodiscard]] std::int64_t cols() const { return shape.back(); }
};

/// Rows [first, first + count) as floats into out [count, cols()]. Weights of quantised types are rounded to bf16, so
/// that every precision computes with the same weights; other types are exact. q and k rows come in Hugging Face's
/// (half-split) RoPE order: what rotates with row i of a head of d is row i + d/2.
void read_rows(const Tensor& tensor, std::int64_t first, std::int64_t count, float* out);

/// One opened model. Immutable; safe to use from several threads.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  /// What open_checkpoint() was given.
  [[nodiscard]] virtual std::filesystem::path path() const = 0;
  [[nodiscard]] virtual const Config& config() const = 0;
  /// The tensor with this Hugging Face name (model/tensor_names.h). Throws Error naming file and tensor when it's
  /// missing or its shape isn't `shape`.
  [[nodiscard]] virtual const Tensor& tensor(const std::string& name, const std::vector<std::int64_t>& shape) const = 0;
  /// What to build a Tokenizer from. Throws Error when the model has none or one of an unsupported kind.
  [[nodiscard]] virtual TokenizerData tokenizer() const = 0;
  /// "sha256:<64 hex digits>" over each readable tensor's name, type, shape and a sample of its bytes (first and last
  /// 4 KiB), in order of name, and over the configuration: tells models apart, fast for any size.
  [[nodiscard]] virtual std::string hash() const = 0;
  /// Throws Error when another program has written to a file of the model since it was opened.
  virtual void check_unchanged() const = 0;
};

/// Opens a GGUF file, or a directory with config.json and *.safetensors. Throws Error (one line) for anything missing,
/// truncated, corrupted or unsupported.
std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& path);

}  // namespace layerboost
