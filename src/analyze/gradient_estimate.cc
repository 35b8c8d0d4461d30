#include "analyze/gradient_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/random.h"
#include "heal/distill_head.h"
#include "heal/student.h"
#include "model/runner.h"

namespace layerboost {
namespace {

/// Rows that are read together, and bytes of layers' inputs and gradients that a step may keep, where that is more than
/// one sequence.
constexpr int step_tokens = 2048;
constexpr std::size_t kept_by_step = std::size_t{2} << 30;

/// Of activations that a forward keeps for its backward passes.
constexpr std::size_t kept_bytes_at_most = std::size_t{6} << 30;

/// The sum of a[i] b[i] over `count` rows of D numbers; the same whatever the threads.
double dot(const float* a, const float* b, std::ptrdiff_t count, std::ptrdiff_t D, std::vector<double>& of_rows) {
  of_rows.resize(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    float lanes[16] = {};
    const float* const x = a + i * D;
    const float* const y = b + i * D;
    std::ptrdiff_t j = 0;
    for (; j + 16 <= D; j += 16)
      for (std::ptrdiff_t lane = 0; lane < 16; ++lane) lanes[lane] += x[j + lane] * y[j + lane];
    for (; j < D; ++j) lanes[0] += x[j] * y[j];
    of_rows[static_cast<std::size_t>(i)] = std::accumulate(lanes, lanes + 16, 0.0);
  }
  return std::accumulate(of_rows.begin(), of_rows.end(), 0.0);
}

/// A token from softmax(logits), whose sum of exponentials is e^lse.
TokenId sample(const float* logits, float lse, int vocab, double uniform) {
  double left = uniform;
  for (int v = 0; v < vocab; ++v) {
    left -= static_cast<double>(std::exp(logits[v] - lse));
    if (left <= 0) return v;
  }
  return vocab - 1;
}

/// Sequences of one kind that are read together, filled up to a common length behind their ends, which nothing before
/// sees.
struct Step {
  std::vector<int> sequences;  // of the calibration
  int length = 0;
  bool retrieval = false;
};

class Estimator {
 public:
  Estimator(const Model& model, MixerSet& mixers, const Calibration& calibration, const EstimateOptions& options)
      : model_(model),
        mixers_(mixers),
        calibration_(calibration),
        options_(options),
        native_(native_specs(model.config)),
        student_(model, native_, {}, {.rank = 0}, kept_bytes_at_most, 0),
        head_(model),
        runner_(model),
        random_(options.seed) {
    LB_CHECK(student_.parameter_count() == 0);
  }

  EstimatedLosses run() {
    losses_.assign(static_cast<std::size_t>(model_.config.layers), {});
    for (auto& of_layer : losses_)
      for (const MixerSpec& choice : options_.choices) of_layer[choice];
    const std::vector<Step> steps = make_steps();
    std::int64_t rows = 0;
    for (const Step& step : steps) rows += std::ssize(step.sequences) * step.length;
    Progress progress("estimate", rows, "tokens");
    for (const Step& step : steps) {
      check_interrupt("stopped; the same command begins again");
      take(step);
      progress.advance(std::ssize(step.sequences) * step.length);
    }
    return std::move(losses_);
  }

 private:
  /// Of all layers: the inputs, and a gradient for each pass.
  [[nodiscard]] std::size_t bytes_of(std::ptrdiff_t rows, int passes) const {
    return static_cast<std::size_t>(rows * model_.config.hidden * model_.config.layers * (1 + passes)) * sizeof(float);
  }

  [[nodiscard]] std::vector<Step> make_steps() const {
    std::vector<Step> steps;
    for (int i = 0; i < static_cast<int>(calibration_.sequences.size()); ++i) {
      const CalibrationSequence& sequence = calibration_.sequences[static_cast<std::size_t>(i)];
      const int length = std::max(static_cast<int>(sequence.tokens.size()), steps.empty() ? 0 : steps.back().length);
      const auto rows = steps.empty() ? 0 : (std::ssize(steps.back().sequences) + 1) * length;
      if (steps.empty() || steps.back().retrieval != sequence.retrieval || rows > step_tokens ||
          bytes_of(rows, passes(sequence.retrieval)) > kept_by_step)
        steps.push_back({{}, 0, sequence.retrieval});
      steps.back().sequences.push_back(i);
      steps.back().length = std::max(steps.back().length, static_cast<int>(sequence.tokens.size()));
    }
    return steps;
  }

  /// Backward passes: of the answers; of the samples and, last, of the text's own tokens.
  [[nodiscard]] int passes(bool retrieval) const { return retrieval ? 1 : options_.samples + (options_.nll ? 1 : 0); }

  void take(const Step& step) {
    const CoreBatch batch{static_cast<int>(step.sequences.size()), step.length};
    const auto size = static_cast<std::size_t>(batch.rows() * model_.config.hidden);
    std::vector<TokenId> tokens;
    for (const int i : step.sequences) {
      const auto& own = calibration_.sequences[static_cast<std::size_t>(i)].tokens;
      tokens.insert(tokens.end(), own.begin(), own.end());
      tokens.resize(tokens.size() + static_cast<std::size_t>(step.length) - own.size(), 0);
    }
    float* const hidden = hidden_.reserve_as<float>(size);
    runner_.embed(tokens, hidden);
    inputs_.resize(static_cast<std::size_t>(model_.config.layers));
    student_.forward(batch, hidden, true, [&](int layer, const float* input) {
      std::memcpy(inputs_[static_cast<std::size_t>(layer)].reserve_as<float>(size), input, size * sizeof(float));
    });
    keep_gradients(step, batch, hidden);
    compare_layers(step, batch, tokens);
  }

  /// What each row predicts; -1 for rows that aren't scored.
  [[nodiscard]] std::vector<std::int32_t> own_targets(const Step& step, const CoreBatch& batch) const {
    std::vector<std::int32_t> targets(static_cast<std::size_t>(batch.rows()), -1);
    auto first = targets.begin();
    for (const int i : step.sequences) {
      const CalibrationSequence& sequence = calibration_.sequences[static_cast<std::size_t>(i)];
      std::copy(sequence.tokens.begin() + sequence.first_target + 1, sequence.tokens.end(),
                first + sequence.first_target);
      first += step.length;
    }
    return targets;
  }

  /// The gradients of the sum of log p of sampled or own tokens for what each layer's mixer adds, in gradients_[pass].
  void keep_gradients(const Step& step, const CoreBatch& batch, const float* hidden) {
    const std::vector<std::int32_t> own = own_targets(step, batch);
    std::vector<int> rows;
    for (std::size_t row = 0; row < own.size(); ++row)
      if (own[row] >= 0) rows.push_back(static_cast<int>(row));
    const auto samples = static_cast<std::size_t>(step.retrieval ? 0 : options_.samples);
    std::vector<double> uniforms(rows.size() * samples);
    for (double& uniform : uniforms) uniform = random_.uniform();
    const auto choose = [&](std::size_t i, const float* logits, std::span<std::int32_t> tokens) {
      const float lse = samples > 0 ? log_sum_exp(logits, 1, model_.config.vocab) : 0;
      for (std::size_t s = 0; s < samples; ++s)
        tokens[s] = sample(logits, lse, model_.config.vocab, uniforms[i * samples + s]);
      if (tokens.size() > samples) tokens.back() = own[static_cast<std::size_t>(rows[i])];
    };
    const auto count = static_cast<std::size_t>(passes(step.retrieval));
    const auto size = static_cast<std::size_t>(batch.rows() * model_.config.hidden);
    d_hidden_.resize(std::max(d_hidden_.size(), count));
    std::vector<float*> d_hidden;
    for (std::size_t pass = 0; pass < count; ++pass) d_hidden.push_back(d_hidden_[pass].reserve_as<float>(size));
    head_.likelihood_gradients(hidden, batch.rows(), rows, choose, d_hidden);
    gradients_.resize(count);
    for (std::size_t pass = 0; pass < count; ++pass) {
      gradients_[pass].resize(static_cast<std::size_t>(model_.config.layers));
      student_.backward(d_hidden[pass], {}, {}, [&](int layer, const float* d_mixer) {
        float* const kept = gradients_[pass][static_cast<std::size_t>(layer)].reserve_as<float>(size);
        std::memcpy(kept, d_mixer, size * sizeof(float));
      });
    }
  }

  /// hidden [N, D] through layer `layer`'s mixer alone.
  void mix(const MixerList& mixers, const CoreBatch& batch, std::span<const TokenId> tokens, int layer, float* hidden) {
    std::vector<Sequence> sequences(static_cast<std::size_t>(batch.sequences), Sequence(mixers, pools_));
    std::vector<BatchItem> items;
    const auto length = static_cast<std::size_t>(batch.length);
    for (std::size_t i = 0; i < sequences.size(); ++i)
      items.push_back({&sequences[i], tokens.subspan(i * length, length)});
    runner_.mix(items, hidden, layer);
  }

  void compare_layers(const Step& step, const CoreBatch& batch, std::span<const TokenId> tokens) {
    const auto size = static_cast<std::size_t>(batch.rows() * model_.config.hidden);
    for (int layer = 0; layer < model_.config.layers; ++layer) {
      const AlignedBuffer& input = inputs_[static_cast<std::size_t>(layer)];
      const auto mixed = [&](AlignedBuffer& buffer, const MixerList& mixers) {
        float* const hidden = buffer.reserve_as<float>(size);
        std::memcpy(hidden, input.data(), size * sizeof(float));
        mix(mixers, batch, tokens, layer, hidden);
        return hidden;
      };
      const float* const unchanged = mixed(unchanged_, mixers_.list(native_));
      for (const MixerSpec& choice : options_.choices) {
        std::vector<MixerSpec> specs = native_;
        specs[static_cast<std::size_t>(layer)] = choice;
        float* const changed = mixed(changed_, mixers_.list(specs));
#pragma omp parallel for schedule(static)
        for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(size); ++i) changed[i] -= unchanged[i];
        add(step, layer, changed, losses_[static_cast<std::size_t>(layer)][choice]);
      }
    }
  }

  /// What a change by `delta` [N, D] of a layer's mixer means for each of the step's sequences.
  void add(const Step& step, int layer, const float* delta, EstimatedLoss& loss) {
    const auto D = static_cast<std::ptrdiff_t>(model_.config.hidden);
    std::ptrdiff_t begin = 0;
    for (const int i : step.sequences) {
      const auto change = [&](std::size_t pass) {
        const auto* const gradient =
            reinterpret_cast<const float*>(gradients_[pass][static_cast<std::size_t>(layer)].data());
        return dot(gradient + begin * D, delta + begin * D, step.length, D, of_rows_);
      };
      const double targets = calibration_.sequences[static_cast<std::size_t>(i)].targets();
      if (step.retrieval) {
        loss.retrieval.push_back(-change(0) / targets);
      } else {
        double squares = 0;
        const auto samples = static_cast<std::size_t>(options_.samples);
        for (std::size_t pass = 0; pass < samples; ++pass) squares += change(pass) * change(pass);
        const double kl = squares / 2 / options_.samples / targets;
        loss.kl.push_back(kl);
        if (options_.nll) loss.nll.push_back(kl - change(samples) / targets);
      }
      begin += step.length;
    }
  }

  const Model& model_;
  MixerSet& mixers_;
  const Calibration& calibration_;
  const EstimateOptions& options_;
  const std::vector<MixerSpec> native_;
  Student student_;
  DistillHead head_;
  Runner runner_;
  CachePools pools_;
  Random random_;
  EstimatedLosses losses_;
  std::vector<AlignedBuffer> inputs_;                  // by layer, [N, D]
  std::vector<std::vector<AlignedBuffer>> gradients_;  // by pass and layer, [N, D]
  std::vector<AlignedBuffer> d_hidden_;                // by pass
  std::vector<double> of_rows_;
  AlignedBuffer hidden_, unchanged_, changed_;
};

}  // namespace

EstimatedLosses estimate_losses(const Model& model, MixerSet& mixers, const Calibration& calibration,
                                const EstimateOptions& options) {
  return Estimator(model, mixers, calibration, options).run();
}

}  // namespace layerboost
