// LoRA beside the products of a layer (Hu et al. 2021): y = W x + (alpha / r) B (A x), W fixed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "artifact/adapter.h"
#include "heal/profile.h"
#include "kernels/low_rank.h"
#include "kernels/matmul.h"
#include "mixer/spec.h"
#include "model/workspace.h"

namespace layerboost {

struct LoraOptions {
  int rank = 16;      // r; 0: none
  double alpha = 32;  // the change's weight is alpha / r
};

/// The pair of one weight, such as that of "layers.3.q", among the flat parameters.
struct LoraPart {
  std::string name;
  int out = 0;
  std::size_t b = 0;  // where B lies, transposed: [r, out]
};

/// The pairs of one of a layer's products (q, k and v have one product in common, gate and up another).
struct LoraSite {
  int layer = 0;
  Site site = Site::qkv;
  int in = 0;
  std::vector<LoraPart> parts;
  std::size_t a = 0;  // where the parts' A lie one below the other: [parts * r, in]
};

/// All sites of a plan's student, layers `lowest` .. L-1: every product of a layer, but only the MLP's where the plan
/// leaves no attention; in the order of the flat parameters, which they fill from 0 on.
std::vector<LoraSite> lora_sites(const Config& config, std::span<const MixerSpec> specs, int lowest, int rank);

/// How many numbers the sites have.
std::size_t lora_size(std::span<const LoraSite> sites, int rank);

/// A uniform in +-1/sqrt(in) (Kaiming's rule as PEFT applies it), B zero.
void initialize_lora(std::span<const LoraSite> sites, int rank, std::uint64_t seed, std::span<float> parameters);

/// The sites' pairs as an adapter keeps them, and back.
void put_pairs(std::span<const LoraSite> sites, int rank, std::span<const float> parameters, Adapter& adapter);
void take_pairs(std::span<const LoraSite> sites, int rank, const Adapter& adapter, std::span<float> parameters);

/// One product of a layer with its pairs, forward and backward, on tiles of up to 256 rows.
class LoraProduct {
 public:
  /// `transposed`: of the base, or empty where gradients of inputs aren't wanted. Requires: `base` outlives this.
  LoraProduct(const PackedMatrix& base, PackedMatrix transposed, const LoraSite& site, const LoraOptions& options);

  /// Takes the values of its pairs; to call whenever parameters change.
  void assign(std::span<const float> parameters);

  /// Numbers that forward() leaves for backward() of each tile: A x, transposed.
  [[nodiscard]] std::size_t kept_size() const { return static_cast<std::size_t>(t_columns_) * low_rank_rows; }

  /// y = W x + (alpha / r) B (A x). x [n, in]; y has room for [n + spare_rows, out]; kept [kept_size()] in x's
  /// precision.
  Product forward(const Activations& x, float* y, void* kept, Profile& profile, KernelScratch& scratch) const;

  /// dx = dy W + (alpha / r) dy B A: dy [n, out] in x's precision, room for dx [n + spare_rows, in]. Leaves dy B in
  /// `d_kept` for pair_gradients(), which follows with the same dy.
  void input_gradient(const Activations& dy, float* dx, AlignedBuffer& d_kept, Profile& profile,
                      KernelScratch& scratch) const;

  /// Adds to the gradients of the pairs. Where gradients of inputs aren't wanted, `alone` says that no
  /// input_gradient() came before.
  void pair_gradients(const Activations& dy, const Activations& x, const void* kept, AlignedBuffer& d_kept,
                      std::span<float> gradients, Profile& profile, KernelScratch& scratch, bool alone = false) const;

 private:
  [[nodiscard]] std::vector<ThinPart> a_parts() const;
  [[nodiscard]] std::vector<ThinPart> b_parts() const;
  void update_gradient(const Activations& dy, float* dx, AlignedBuffer& d_kept, KernelScratch& scratch) const;

  const PackedMatrix* base_;
  PackedMatrix transposed_;
  LoraSite site_;
  int rank_ = 0, t_columns_ = 0;
  float factor_ = 1;           // alpha / r
  ThinMatrix a_;               // [parts * r, in]
  std::vector<ThinMatrix> b_;  // of each part: factor * B transposed, [r, out]
};

}  // namespace layerboost
