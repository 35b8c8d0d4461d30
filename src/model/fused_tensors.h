// Tensors that hold several of a layer's weights, one below the other.
#pragma once

#include <string>

#include "model/tensor_table.h"

namespace layerboost {

/// Adds a tensor to the table; one that by its name holds several weights ("self_attn.qkv_proj", "mlp.gate_up_proj") as
/// these, views of its bytes. Throws Error where such a one hasn't as many rows as all of them together, or is a
/// vector of a type with blocks, and as TensorTable::add() does.
void add_in_parts(const std::string& name, const std::string& file, const Tensor& tensor, const Config& config,
                  TensorTable& table);

/// The same as TensorTable::add_unreadable().
void add_unreadable_in_parts(const std::string& name, const std::string& file, const std::string& why,
                             TensorTable& table);

}  // namespace layerboost
