// Takes a calibration's sequences through a model from any layer on, and compares predictions with the unchanged
// model's.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "analyze/calibration.h"
#include "base/progress.h"
#include "model/runner.h"

namespace layerboost {

/// What one pass gives, a number for each sequence.
struct CalibrationOutcome {
  std::vector<double> nll;        // [texts] mean -log p of the tokens, nats
  std::vector<double> kl;         // [texts] mean KL(unchanged || this), nats; empty from record()
  std::vector<double> agreement;  // [texts] share of tokens with the unchanged model's best; empty from record()
  std::vector<double> retrieval;  // [questions] mean log p of the answer's tokens, nats
  std::vector<double> margin;     // [questions] least over the answer's tokens of margin_of(), nats
};

/// What each question's answer loses: the drop of its tokens' mean log p, and half of how far its margin falls below
/// where the answer is safe. A likely answer can lose much of its margin before its likelihood shows it, and is lost
/// all at once.
std::vector<double> retrieval_losses(const CalibrationOutcome& unchanged, const CalibrationOutcome& changed);

/// One number for them, 0 without questions: half the mean, half the mean of the worst quarter, so that one wording
/// that is lost weighs more than many that lose a little.
double retrieval_loss(std::vector<double> losses);

/// The hidden states of all sequences lie one after another, [rows(), D]. Not thread-safe.
class CalibrationRunner {
 public:
  /// Throws Error when the unchanged model's predictions wouldn't fit in memory. Requires: `model` and `calibration`
  /// outlive this.
  CalibrationRunner(const Model& model, const Calibration& calibration);

  [[nodiscard]] std::size_t rows() const { return rows_; }

  /// For progress: so many tokens through all layers and the head take as long as measure() from layer `first`, or as
  /// `layers` layers.
  [[nodiscard]] std::int64_t measuring_work(int first) const;
  [[nodiscard]] std::int64_t work(int layers) const;

  /// Embeddings of all tokens.
  void embed(float* hidden) const;

  /// Runs the unchanged model from embeddings and keeps its predictions (log-probabilities as half floats) for
  /// measure().
  CalibrationOutcome record(const MixerList& unchanged, Progress& progress);

  /// Runs layers first .. L-1 with these mixers on a copy of `hidden`, the input of layer `first`.
  CalibrationOutcome measure(const MixerList& mixers, const float* hidden, int first, Progress& progress);

  /// What a layer's two halves see, for statistics: rows are those of one step.
  struct LayerView {
    const float* before;  // [rows, D] the layer's input
    const float* after;   // [rows, D] after its mixer
    int first_row, rows;
  };
  /// Takes `hidden` through one layer in place. `look` (if any) is called for each step after the mixer.
  void advance(const MixerList& mixers, float* hidden, int layer, const std::function<void(const LayerView&)>& look,
               Progress& progress);

  Runner& runner() { return runner_; }
  [[nodiscard]] const Calibration& calibration() const { return calibration_; }

 private:
  /// Sequences that are read together.
  struct Step {
    int first_sequence, sequences;
    int first_row, rows;
  };
  /// A scored row of a step.
  struct Target {
    int sequence;
    TokenId token;
    std::int64_t prediction;  // index of the kept prediction, -1 for retrieval
  };

  void report(const Step& step, int layers, Progress& progress) const;
  std::vector<BatchItem> items(const Step& step, std::vector<Sequence>& sequences, const MixerList& mixers);
  void score(const Step& step, const float* hidden, bool recording, CalibrationOutcome& outcome);

  const Model& model_;
  const Calibration& calibration_;
  Runner runner_;
  CachePools pools_;
  std::size_t rows_ = 0;
  std::vector<Step> steps_;
  std::vector<std::int64_t> first_prediction_;  // [sequences]
  std::vector<std::uint16_t> predictions_;      // [text targets, V] log-probabilities as half floats
  AlignedBuffer work_;
};

}  // namespace layerboost
