#include "analyze/calibration_runner.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"
#include "eval/scoring.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// Rows of one step: enough to keep the products busy, few enough that what lies between layers stays in the last-level
/// cache.
constexpr int step_rows = 2048;

/// What scoring a row costs, in layers: the head's product and a pass over the vocabulary.
constexpr int head_layers = 8;

std::size_t physical_memory() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGE_SIZE));
}

/// A margin beyond which no answer is in danger, nats: the next best token has a seventh of its probability.
constexpr double safe_margin = 2;

}  // namespace

std::vector<double> retrieval_losses(const CalibrationOutcome& unchanged, const CalibrationOutcome& changed) {
  std::vector<double> losses;
  for (std::size_t i = 0; i < unchanged.retrieval.size(); ++i) {
    const double margin = std::min(unchanged.margin[i], safe_margin) - std::min(changed.margin[i], safe_margin);
    losses.push_back(unchanged.retrieval[i] - changed.retrieval[i] + std::max(0.0, margin) / 2);
  }
  return losses;
}

double retrieval_loss(std::vector<double> losses) {
  if (losses.empty()) return 0;
  std::sort(losses.begin(), losses.end(), std::greater<>());
  const auto quarter = (std::ssize(losses) + 3) / 4;
  const double all = std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  const double worst = std::accumulate(losses.begin(), losses.begin() + quarter, 0.0) / static_cast<double>(quarter);
  return (all + worst) / 2;
}

CalibrationRunner::CalibrationRunner(const Model& model, const Calibration& calibration)
    : model_(model), calibration_(calibration), runner_(model) {
  std::int64_t predictions = 0;
  for (std::size_t i = 0; i < calibration.sequences.size(); ++i) {
    const CalibrationSequence& sequence = calibration.sequences[i];
    const int rows = static_cast<int>(sequence.tokens.size());
    if (steps_.empty() || steps_.back().rows + rows > step_rows)
      steps_.push_back({static_cast<int>(i), 0, static_cast<int>(rows_), 0});
    steps_.back().sequences += 1;
    steps_.back().rows += rows;
    rows_ += static_cast<std::size_t>(rows);
    first_prediction_.push_back(predictions);
    if (!sequence.retrieval) predictions += sequence.targets();
  }
  const std::size_t bytes =
      static_cast<std::size_t>(predictions) * static_cast<std::size_t>(model.config.vocab) * sizeof(std::uint16_t);
  if (bytes > physical_memory() / 2)
    fail(
        "{} tokens of calibration text take {:.1f} GiB of predictions, more than half of this machine's memory: give "
        "fewer `tokens`",
        predictions, static_cast<double>(bytes) / (1 << 30));
  predictions_.resize(static_cast<std::size_t>(predictions) * static_cast<std::size_t>(model.config.vocab));
}

std::int64_t CalibrationRunner::work(int layers) const {
  return static_cast<std::int64_t>(rows_) * layers / (model_.config.layers + head_layers);
}

std::int64_t CalibrationRunner::measuring_work(int first) const {
  return work(model_.config.layers - first + head_layers);
}

void CalibrationRunner::report(const Step& step, int layers, Progress& progress) const {
  progress.advance(std::int64_t{step.rows} * layers / (model_.config.layers + head_layers));
}

void CalibrationRunner::embed(float* hidden) const {
  for (const CalibrationSequence& sequence : calibration_.sequences) {
    runner_.embed(sequence.tokens, hidden);
    hidden += sequence.tokens.size() * static_cast<std::size_t>(model_.config.hidden);
  }
}

CalibrationOutcome CalibrationRunner::record(const MixerList& unchanged, Progress& progress) {
  CalibrationOutcome outcome;
  AlignedBuffer all;
  float* const hidden = all.reserve_as<float>(rows_ * static_cast<std::size_t>(model_.config.hidden));
  embed(hidden);
  for (const Step& step : steps_) {
    std::vector<Sequence> sequences;
    float* const rows = hidden + static_cast<std::ptrdiff_t>(step.first_row) * model_.config.hidden;
    runner_.run_layers(items(step, sequences, unchanged), rows, 0, model_.config.layers);
    score(step, rows, true, outcome);
    report(step, model_.config.layers + head_layers, progress);
  }
  return outcome;
}

CalibrationOutcome CalibrationRunner::measure(const MixerList& mixers, const float* hidden, int first,
                                              Progress& progress) {
  CalibrationOutcome outcome;
  const auto D = static_cast<std::ptrdiff_t>(model_.config.hidden);
  for (const Step& step : steps_) {
    check_interrupt("stopped; the same command measures again");
    std::vector<Sequence> sequences;
    const std::size_t size = static_cast<std::size_t>(step.rows * D);
    float* const rows = work_.reserve_as<float>(size);
    std::memcpy(rows, hidden + step.first_row * D, size * sizeof(float));
    runner_.run_layers(items(step, sequences, mixers), rows, first, model_.config.layers);
    score(step, rows, false, outcome);
    report(step, model_.config.layers - first + head_layers, progress);
  }
  return outcome;
}

void CalibrationRunner::advance(const MixerList& mixers, float* hidden, int layer,
                                const std::function<void(const LayerView&)>& look, Progress& progress) {
  const auto D = static_cast<std::ptrdiff_t>(model_.config.hidden);
  for (const Step& step : steps_) {
    std::vector<Sequence> sequences;
    const std::vector<BatchItem> batch = items(step, sequences, mixers);
    float* const rows = hidden + step.first_row * D;
    if (look) {
      const std::size_t size = static_cast<std::size_t>(step.rows * D);
      float* const before = work_.reserve_as<float>(size);
      std::memcpy(before, rows, size * sizeof(float));
      runner_.mix(batch, rows, layer);
      look({before, rows, step.first_row, step.rows});
    } else {
      runner_.mix(batch, rows, layer);
    }
    runner_.mlp(rows, step.rows, layer);
    report(step, 1, progress);
  }
}

std::vector<BatchItem> CalibrationRunner::items(const Step& step, std::vector<Sequence>& sequences,
                                                const MixerList& mixers) {
  sequences.assign(static_cast<std::size_t>(step.sequences), Sequence(mixers, pools_));
  std::vector<BatchItem> batch;
  for (int i = 0; i < step.sequences; ++i)
    batch.push_back({&sequences[static_cast<std::size_t>(i)],
                     calibration_.sequences[static_cast<std::size_t>(step.first_sequence + i)].tokens});
  return batch;
}

void CalibrationRunner::score(const Step& step, const float* hidden, bool recording, CalibrationOutcome& outcome) {
  std::vector<int> rows;
  std::vector<Target> targets;
  int row = 0;
  for (int i = 0; i < step.sequences; ++i) {
    const CalibrationSequence& sequence = calibration_.sequences[static_cast<std::size_t>(step.first_sequence + i)];
    const std::int64_t prediction = first_prediction_[static_cast<std::size_t>(step.first_sequence + i)];
    for (int t = 0; t < sequence.targets(); ++t) {
      const int in_sequence = sequence.first_target + t;
      rows.push_back(row + in_sequence);
      targets.push_back(
          {i, sequence.tokens[static_cast<std::size_t>(in_sequence) + 1], sequence.retrieval ? -1 : prediction + t});
    }
    row += static_cast<int>(sequence.tokens.size());
  }

  std::vector<double> log_probs(rows.size()), margins(rows.size()), kl(rows.size()), agreement(rows.size());
  std::size_t done = 0;
  runner_.logits(hidden, rows, [&](const LogitsBlock& block) {
    const auto count = static_cast<std::ptrdiff_t>(block.rows.size());
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const auto r = static_cast<std::size_t>(i);
      const Target& target = targets[done + r];
      const float scale = block.scale(r);
      const float* const logits = block.row(r);
      const float lse = log_sum_exp(logits, scale, block.vocab);
      log_probs[done + r] = static_cast<double>(logits[target.token]) * scale - lse;
      if (target.prediction < 0) {
        margins[done + r] =
            static_cast<double>(margin_of(logits, scale, block.vocab, argmax(logits, block.vocab), target.token));
        continue;
      }
      std::uint16_t* const kept = predictions_.data() + target.prediction * block.vocab;
      if (recording) {
        store_log_probs(logits, scale, lse, block.vocab, kept);
      } else {
        const Divergence result = divergence(kept, logits, scale, lse, block.vocab);
        kl[done + r] = result.kl;
        agreement[done + r] = result.same_argmax ? 1 : 0;
      }
    }
    done += block.rows.size();
  });

  for (const double log_prob : log_probs)
    if (!std::isfinite(log_prob)) fail("{}", damaged_model);
  std::size_t begin = 0;
  for (int i = 0; i < step.sequences; ++i) {
    const CalibrationSequence& sequence = calibration_.sequences[static_cast<std::size_t>(step.first_sequence + i)];
    const auto count = static_cast<std::size_t>(sequence.targets());
    const auto mean = [&](const std::vector<double>& values) {
      double sum = 0;
      for (std::size_t j = begin; j < begin + count; ++j) sum += values[j];
      return sum / static_cast<double>(count);
    };
    if (sequence.retrieval) {
      outcome.retrieval.push_back(mean(log_probs));
      const auto first = margins.begin() + static_cast<std::ptrdiff_t>(begin);
      outcome.margin.push_back(*std::min_element(first, first + static_cast<std::ptrdiff_t>(count)));
    } else {
      outcome.nll.push_back(-mean(log_probs));
      if (!recording) outcome.kl.push_back(mean(kl));
      if (!recording) outcome.agreement.push_back(mean(agreement));
    }
    begin += count;
  }
}

}  // namespace layerboost
