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
#include "heal/transposed.h"
#include "mixer/attention_block.h"
#include "mixer/training.h"
#include "model/runner.h"

namespace layerboost {
namespace {

/// Rows that are read together, and bytes of layers' inputs and gradients that a step may keep, where that is more than
/// one sequence.
constexpr int step_tokens = 2048;
constexpr std::size_t kept_by_step = std::size_t{2} << 30;

/// The most bytes of activations that a forward keeps for its backward passes.
constexpr std::size_t kept_bytes_at_most = std::size_t{6} << 30;

/// The sum of a[i] b[i] over `count` rows of `width` numbers, rows `stride` numbers apart; the same whatever the
/// threads.
double dot(const float* a, const float* b, std::ptrdiff_t count, std::ptrdiff_t width, std::ptrdiff_t stride,
           std::vector<double>& of_rows) {
  of_rows.resize(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    float lanes[16] = {};
    const float* const x = a + i * stride;
    const float* const y = b + i * stride;
    std::ptrdiff_t j = 0;
    for (; j + 16 <= width; j += 16)
      for (std::ptrdiff_t lane = 0; lane < 16; ++lane) lanes[lane] += x[j + lane] * y[j + lane];
    for (; j < width; ++j) lanes[0] += x[j] * y[j];
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
        workspace_(model.rope()),
        random_(options.seed) {
    LB_CHECK(student_.parameter_count() == 0);
    o_transposed_.resize(static_cast<std::size_t>(model.config.layers));
  }

  EstimatedLosses run() {
    losses_.assign(static_cast<std::size_t>(model_.config.layers), {});
    for (int layer = 0; layer < model_.config.layers; ++layer)
      for (const MixerSpec& choice : options_.choices)
        if (keeps_less(model_.config, layer, choice)) losses_[static_cast<std::size_t>(layer)][choice];
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
  /// Returns the bytes that a step keeps of all layers: the inputs, and a gradient for each pass.
  [[nodiscard]] std::size_t bytes_of(std::ptrdiff_t rows, int passes) const {
    return static_cast<std::size_t>(rows * model_.config.hidden * model_.config.layers * (1 + passes)) * sizeof(float);
  }

  [[nodiscard]] std::vector<Step> make_steps() const {
    std::vector<Step> steps;
    for (int i = 0; i < static_cast<int>(calibration_.sequences.size()); ++i) {
      const CalibrationSequence& sequence = calibration_.sequences[static_cast<std::size_t>(i)];
      const int own = static_cast<int>(sequence.tokens.size());
      const int length = std::max(own, steps.empty() ? 0 : steps.back().length);
      const auto rows = steps.empty() ? 0 : (std::ssize(steps.back().sequences) + 1) * length;
      const RopeConfig& rope = model_.config.rope;  // a step has one kind of rotations
      if (steps.empty() || steps.back().retrieval != sequence.retrieval || rows > step_tokens ||
          bytes_of(rows, passes(sequence.retrieval)) > kept_by_step ||
          rope.rotations(steps.back().length) != rope.rotations(own))
        steps.push_back({{}, 0, sequence.retrieval});
      steps.back().sequences.push_back(i);
      steps.back().length = std::max(steps.back().length, own);
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
    for (int layer = 0; layer < model_.config.layers; ++layer) {
      const MixerSpec& native = native_[static_cast<std::size_t>(layer)];
      std::vector<MixerSpec> of_heads, others;
      for (const auto& [choice, loss] : losses_[static_cast<std::size_t>(layer)]) {
        // A norm of what all heads put out is no sum over heads. (Where some are whole, the layer's own mixer sees
        // everything, or it would keep less: they put out what they did before.)
        const bool adds_up = !model_.config.norms_after && is_restriction(model_.config, native) &&
                             is_restriction(model_.config, choice);
        (adds_up ? of_heads : others).push_back(choice);
      }
      if (!of_heads.empty()) compare_heads(step, batch, layer, of_heads);
      if (!others.empty()) compare_outputs(step, batch, tokens, layer, others);
    }
  }

  /// What the likelihood of each of a step's sequences changes by in each pass, to first order: [sequences, passes].
  using Changes = std::vector<double>;

  /// Both [N, stride], of which columns first .. first + width - 1 count: the gradient of a pass, and what changes.
  template <typename GradientOf>
  Changes changes(const Step& step, const GradientOf& gradient_of, const float* delta, std::ptrdiff_t stride,
                  std::ptrdiff_t first, std::ptrdiff_t width) {
    Changes result;
    for (std::size_t i = 0; i < step.sequences.size(); ++i) {
      const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(i) * step.length * stride + first;
      for (std::size_t pass = 0; pass < gradients_.size(); ++pass)
        result.push_back(dot(gradient_of(pass) + begin, delta + begin, step.length, width, stride, of_rows_));
    }
    return result;
  }

  /// The layer's own mixer and the others run one by one.
  void compare_outputs(const Step& step, const CoreBatch& batch, std::span<const TokenId> tokens, int layer,
                       const std::vector<MixerSpec>& choices) {
    const int D = model_.config.hidden;
    const auto size = static_cast<std::size_t>(batch.rows() * D);
    const AlignedBuffer& input = inputs_[static_cast<std::size_t>(layer)];
    const auto mixed = [&](AlignedBuffer& buffer, const MixerList& mixers) {
      float* const hidden = buffer.reserve_as<float>(size);
      std::memcpy(hidden, input.data(), size * sizeof(float));
      mix(mixers, batch, tokens, layer, hidden);
      return hidden;
    };
    const auto gradient_of = [&](std::size_t pass) { return gradient(pass, layer); };
    const float* const unchanged = mixed(unchanged_, mixers_.list(native_));
    for (const MixerSpec& choice : choices) {
      std::vector<MixerSpec> specs = native_;
      specs[static_cast<std::size_t>(layer)] = choice;
      float* const changed = mixed(changed_, mixers_.list(specs));
      subtract(changed, unchanged, size);
      add(step, changes(step, gradient_of, changed, D, 0, D), losses_[static_cast<std::size_t>(layer)][choice]);
    }
  }

  /// Mixers that only change what heads look at: what the heads put out, times Wo, adds up. So each window runs once
  /// between one projection of queries, keys and values and one of the gradients (g Wo), and a choice is the sum over
  /// the heads that have it.
  void compare_heads(const Step& step, const CoreBatch& batch, int layer, const std::vector<MixerSpec>& choices) {
    const Config& config = model_.config;
    const int width = config.q_size(), of_head = width / config.kv_heads;
    const auto size = static_cast<std::size_t>(batch.rows() * width);
    const Projected projected = project(batch, layer);
    const auto attend = [&](const MixerSpec& spec, AlignedBuffer& buffer) {
      const auto core = make_core(model_, layer, spec);
      float* const out = buffer.reserve_as<float>(size);
      core->forward({batch, nullptr, nullptr, nullptr, projected.q, projected.k, projected.v}, out,
                    saved_.reserve_as<float>(std::max<std::size_t>(core->saved_floats(batch), 1)), workspace_.scratch);
      return out;
    };
    const float* const unchanged = attend(native_[static_cast<std::size_t>(layer)], unchanged_);
    project_gradients(batch, layer);
    const auto gradient_of = [&](std::size_t pass) { return floats(head_gradients_[pass]); };

    std::map<MixerSpec, std::vector<Changes>> by_head;  // of windows in all heads
    for (const MixerSpec& choice : choices) {
      MixerSpec in_all = choice;
      in_all.full = 0;
      auto [found, fresh] = by_head.try_emplace(in_all);
      if (fresh) {
        float* const changed = attend(in_all, changed_);
        subtract(changed, unchanged, size);
        for (int head = 0; head < config.kv_heads; ++head)
          found->second.push_back(changes(step, gradient_of, changed, width, head * of_head, of_head));
      }
      Changes sum(step.sequences.size() * gradients_.size());
      for (int head = 0; head < config.kv_heads; ++head) {
        if (has_head(choice.full, head)) continue;
        const Changes& own = found->second[static_cast<std::size_t>(head)];
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += own[i];
      }
      add(step, sum, losses_[static_cast<std::size_t>(layer)][choice]);
    }
  }

  /// Queries, keys and values of a layer's input.
  Projected project(const CoreBatch& batch, int layer) {
    LayerCache cache;  // empty: it says where rotations begin
    cache.rotations = model_.config.rope.rotations(batch.length);
    std::vector<MixerSpan> spans;
    for (int i = 0; i < batch.sequences; ++i) spans.push_back({i * batch.length, batch.length, 0, &cache});
    workspace_.rope.grow(cache.rotations + batch.length);
    float* const input = inputs_[static_cast<std::size_t>(layer)].reserve_as<float>(
        static_cast<std::size_t>(batch.rows() * model_.config.hidden));
    return AttentionBlock({model_, layer}).project({input, {}, spans, static_cast<int>(batch.rows())}, workspace_);
  }

  /// head_gradients_[pass] [N, H d]: for what a layer's heads put out.
  void project_gradients(const CoreBatch& batch, int layer) {
    PackedMatrix& matrix = o_transposed_[static_cast<std::size_t>(layer)];
    if (!matrix) matrix = transposed_matrix(model_, layer, {LayerPart::o});
    const int D = model_.config.hidden, rows = static_cast<int>(batch.rows());
    head_gradients_.resize(std::max(head_gradients_.size(), gradients_.size()));
    for (std::size_t pass = 0; pass < gradients_.size(); ++pass) {
      float* const result = head_gradients_[pass].reserve_product(rows, matrix.out());
      for (int row = 0; row < rows; row += tile_rows) {
        workspace_.mixed.reshape(std::min(tile_rows, rows - row), D, matrix.precision());
        pack_activations(gradient(pass, layer) + static_cast<std::ptrdiff_t>(row) * D, workspace_.mixed,
                         model_.config.residual_scale);
        matrix.multiply(workspace_.mixed, result + static_cast<std::ptrdiff_t>(row) * matrix.out(), workspace_.scratch);
      }
    }
  }

  static const float* floats(const AlignedBuffer& buffer) { return reinterpret_cast<const float*>(buffer.data()); }
  /// [N, D], for what the layer's mixer adds.
  [[nodiscard]] const float* gradient(std::size_t pass, int layer) const {
    return floats(gradients_[pass][static_cast<std::size_t>(layer)]);
  }

  static void subtract(float* from, const float* what, std::size_t size) {
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(size); ++i) from[i] -= what[i];
  }

  /// What these changes of likelihoods mean for each of the step's sequences.
  void add(const Step& step, const Changes& changes, EstimatedLoss& loss) const {
    const double* change = changes.data();
    for (const int i : step.sequences) {
      const double targets = calibration_.sequences[static_cast<std::size_t>(i)].targets();
      if (step.retrieval) {
        loss.retrieval.push_back(-change[0] / targets);
      } else {
        double squares = 0;
        const auto samples = static_cast<std::size_t>(options_.samples);
        for (std::size_t pass = 0; pass < samples; ++pass) squares += change[pass] * change[pass];
        const double kl = squares / 2 / options_.samples / targets;
        loss.kl.push_back(kl);
        if (options_.nll) loss.nll.push_back(kl - change[samples] / targets);
      }
      change += gradients_.size();
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
  Workspace workspace_;
  std::vector<PackedMatrix> o_transposed_;  // [L]: Wo as [H d, D], of layers that were compared by heads
  CachePools pools_;
  Random random_;
  EstimatedLosses losses_;
  std::vector<AlignedBuffer> inputs_;                  // by layer, [N, D]
  std::vector<std::vector<AlignedBuffer>> gradients_;  // by pass and layer, [N, D]
  std::vector<AlignedBuffer> d_hidden_;                // by pass
  std::vector<double> of_rows_;
  std::vector<AlignedBuffer> head_gradients_;  // by pass
  AlignedBuffer hidden_, unchanged_, changed_, saved_;
};

}  // namespace

bool is_restriction(const Config& config, const MixerSpec& choice) {
  return has_attention(choice.kind) && parameter_count(config, choice) == 0;
}

std::size_t estimate_bytes(const Model& model, int length) {
  const Config& config = model.config;
  const auto hidden = static_cast<std::size_t>(config.hidden), layers = static_cast<std::size_t>(config.layers);
  const auto passes = static_cast<std::size_t>(EstimateOptions().samples + 1);
  const std::size_t kept_of_row = hidden * layers * sizeof(float) * (1 + passes);  // the inputs, and the gradients
  const int rows = std::max(length, static_cast<int>(std::min(std::size_t{step_tokens}, kept_by_step / kept_of_row)));
  const std::size_t o_transposed =
      layers * hidden * static_cast<std::size_t>(config.q_size()) * element_bytes(model.precision);
  // The student has weights of its own to take gradients back through.
  return model.weights.bytes() + o_transposed + std::min(activation_bytes(config, rows), kept_bytes_at_most) +
         static_cast<std::size_t>(rows) * kept_of_row;
}

bool can_estimate(const Config& config, Precision precision) {
  if (precision == Precision::int8) return false;
  try {
    check_sizes_for_healing(config);
  } catch (const Error&) {
    return false;
  }
  return true;
}

EstimatedLosses estimate_losses(const Model& model, MixerSet& mixers, const Calibration& calibration,
                                const EstimateOptions& options) {
  return Estimator(model, mixers, calibration, options).run();
}

}  // namespace layerboost
