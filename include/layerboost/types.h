// Small types that all of the library's headers use: a token's id, and in which numbers is computed and cached.
// Precision and KvType are chosen when a model is opened and stay with it; between matrix products numbers are f32
// whatever is chosen. The format of the weights in the file is another matter: they are converted when the model is
// opened.
#pragma once

#include <cstdint>

namespace layerboost {

/// The index of a token in a model's vocabulary: 0 <= id < V.
using TokenId = std::int32_t;

/// The arithmetic of matrix products. f32 is the reference of the tests, bf16 the default; int8 has symmetric weights
/// per output channel and activations per row, quantised on the fly. Keys and values are kept as f32 under f32, as bf16
/// otherwise.
enum class Precision { f32, bf16, int8 };

/// How keys and values are kept in caches. int8 takes half of the memory of bf16: a byte each, and a scale for each
/// token and head. Under Precision::f32, bf16 stands for f32.
enum class KvType { f32, bf16, int8 };

}  // namespace layerboost
