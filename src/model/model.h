// A pretrained model ready to run, and the mixers its layers can use.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/precision.h"
#include "kernels/row_ops.h"
#include "model/checkpoint.h"
#include "model/mixer.h"
#include "model/sequence.h"
#include "model/weights.h"
#include "text/tokenizer.h"

namespace layerboost {

/// One set of base weights. Safe to read from several threads once made.
struct Model {
  std::string hash;  // Checkpoint::hash()
  Config config;
  Precision precision = Precision::bf16;
  Weights weights;
  RopeTable rope;
  std::unique_ptr<Tokenizer> tokenizer;  // nullptr when the model has none
  std::filesystem::path path;

  /// The tokenizer. Throws Error when the model has none.
  [[nodiscard]] const Tokenizer& text() const;
};

/// Opens and packs a model (see open_checkpoint for the path). Throws Error.
std::unique_ptr<Model> load_model(const std::filesystem::path& path, Precision precision);

}  // namespace layerboost
