// What healing learns: low-rank changes of the weights (LoRA) and the parameters of mixers, in one safetensors file.
// The file is described in docs/formats/adapter.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "artifact/parameters_file.h"
#include "base/file.h"
#include "model/checkpoint.h"

namespace layerboost {

/// A change of one weight [out, in]: y = W x + (alpha / rank) B (A x). Rows in Hugging Face's order, as read_rows()
/// gives them.
struct LoraPair {
  int rank = 0, in = 0, out = 0;
  std::vector<float> a;  // [rank, in]
  std::vector<float> b;  // [out, rank]
};

struct Adapter {
  std::string model_hash, plan_hash;  // of the model (Checkpoint::hash()) and plan (Plan::hash()) it was learnt for
  int rank = 0;                       // of every pair
  double alpha = 0;
  std::int64_t tokens = 0, step = 0;            // how far training had come
  std::map<std::string, LoraPair> pairs;        // by "layers.N.PART", PART one of q, k, v, o, gate, up, down
  std::map<std::string, NamedParameter> mixer;  // learnt parameters of mixers, by "layers.N.KIND.NAME"
};

/// The Hugging Face name of the weight that "layers.3.q" changes ("model.layers.3.self_attn.q_proj.weight") and its
/// shape. Throws Error, beginning with `where`, for a name that isn't of that form or a layer that the model lacks.
struct AdaptedWeight {
  std::string name;
  std::int64_t out = 0, in = 0;
};
AdaptedWeight adapted_weight(const std::string& pair, const Config& config, const std::string& where);

/// Reads the adapter of this model and plan. Throws Error (one line that says what is wrong) for another file format or
/// version, an adapter of another model or plan, tensors that are unknown, unpaired or of another shape.
Adapter read_adapter(const fs::path& path, const Config& config, const std::string& model_hash,
                     const std::string& plan_hash);

/// Writes it, complete or not at all; pairs are stored as `dtype` (bf16 or f32), mixers' parameters as f32. Throws
/// Error.
void write_adapter(const fs::path& path, const Adapter& adapter, DType dtype);

}  // namespace layerboost
