// A pretrained model ready to run: its shape (Config), its weights packed for one precision (Weights), and its
// tokenizer. It is made from a Checkpoint, the model as it lies in a GGUF file or a Hugging Face directory;
// load_model() reads and packs all of it. From then on one set of weights serves everybody: plans, runners and threads
// share it. A model has no mixers and knows no plan: a MixerSet (mixer/mixers.h) makes its mixers, a Sequence keeps
// what was read, and a Runner computes. Its files stay open, for those who want the weights once more, until
// close_files().
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/precision.h"
#include "kernels/row_ops.h"
#include "model/checkpoint.h"
#include "model/weights.h"
#include "text/tokenizer.h"

namespace layerboost {

/// One set of base weights, whatever plans run on it. Immutable once made; safe to read from several threads.
struct Model {
  std::filesystem::path path;
  std::string hash;  // Checkpoint::hash()
  Config config;
  Precision precision = Precision::bf16;
  Weights weights;

  /// The tokenizer, built on first use. Throws Error when the model has none, or one that isn't supported.
  [[nodiscard]] const Tokenizer& text() const;
  /// Builds the tokenizer, where there is one, and closes the model's files: for what runs long. Only healing needs the
  /// weights as they lie in them once more.
  void close_files();
  /// A table of this model's rotations (Config::rope_frequencies()), empty yet: those of short texts, and then those of
  /// long ones (RopeConfig::rotations()). `backwards`: of their inverses.
  [[nodiscard]] RopeTable rope(bool backwards = false) const;

 private:
  // Mutable because text() is const: it builds the tokenizer for whichever thread asks first, and never again.
  mutable std::once_flag tokenizer_made_;
  mutable std::unique_ptr<const Tokenizer> tokenizer_;
};

/// Packs an opened model (see load_weights for smoothing and change). Its hash stays the unchanged model's. Throws
/// Error.
std::unique_ptr<Model> load_model(std::shared_ptr<const Checkpoint> checkpoint, Precision precision,
                                  const Smoothing* smoothing = nullptr, const WeightChange* change = nullptr);
/// The same of the model at `path`, which is opened first (open_checkpoint).
std::unique_ptr<Model> load_model(const std::filesystem::path& path, Precision precision);

}  // namespace layerboost
