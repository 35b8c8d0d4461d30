// The attention half of a student's layer: forward that keeps what backward needs, and backward.
#pragma once

#include <memory>
#include <span>

#include "heal/lora.h"
#include "heal/student_scratch.h"
#include "mixer/training.h"

namespace layerboost {

/// What one forward leaves for its backward; N rows.
struct MixerSaved {
  AlignedBuffer hidden;               // [N, D] the input
  AlignedBuffer product;              // [N, (H + 2G) d], where q and k are normalised only
  AlignedBuffer q, k, v;              // [N, H, d], [N, G, d], [N, G, d]
  AlignedBuffer x, q_plain, k_plain;  // for cores that need them
  AlignedBuffer out;                  // [N, H, d]
  AlignedBuffer core;                 // the core's own
  AlignedBuffer t_qkv, t_o;           // LoRA's A x
  AlignedBuffer output;               // [N, D] what Wo puts out, where a norm follows only
};

class StudentMixer {
 public:
  virtual ~StudentMixer() = default;
  virtual void assign(std::span<const float> parameters) = 0;
  [[nodiscard]] virtual std::size_t saved_bytes(const CoreBatch& batch) const = 0;

  /// Adds to hidden [N, D] what the mixer makes of it, with the norms and the factor that the model has (as
  /// Runner::mix() does).
  virtual void forward(float* hidden, const CoreBatch& batch, MixerSaved& saved) const = 0;

  /// d_hidden: from the gradient of the output to that of the input (unchanged where `inputs` is false: nothing below
  /// needs it). Adds to the gradients of what learns.
  virtual void backward(const MixerSaved& saved, float* d_hidden, const CoreBatch& batch, bool inputs,
                        std::span<float> gradients) const = 0;

  /// Runs the core on hidden [N, D] beside `teacher`, on the same queries, keys and values, and returns the squared
  /// distance of the per-head outputs over the squared size of the teacher's (LoLCATs' attention transfer; relative, so
  /// that layers count alike). Adds its gradient by the core's own parameters.
  virtual double match(const float* hidden, const CoreBatch& batch, const MixerCore& teacher, MixerSaved& saved,
                       std::span<float> gradients) const = 0;
};

/// Softmax attention and what replaces it (a MixerCore). Where the core's own parameters lie among the flat ones:
/// `core_parameters`. `own_o`: Wo [D, H d] in place of the layer's; empty: that.
std::unique_ptr<StudentMixer> make_attention_student(const Model& model, int layer, std::unique_ptr<MixerCore> core,
                                                     std::size_t core_parameters, const LoraSite& qkv,
                                                     const LoraSite& o, const LoraOptions& options,
                                                     StudentScratch& scratch, std::span<const float> own_o = {});

/// A map, its parameters as parameter_shapes() says; nothing in it learns.
std::unique_ptr<StudentMixer> make_map_student(const Model& model, int layer, std::span<const float> map,
                                               StudentScratch& scratch);

}  // namespace layerboost
