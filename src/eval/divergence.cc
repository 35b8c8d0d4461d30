#include "eval/divergence.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "eval/prefix_tree.h"

namespace layerboost {
namespace {

constexpr std::size_t block_rows = 64;

/// What comparing the two distributions of one row gives. The best tokens are found in the logits themselves: rounded
/// log-probabilities have ties.
struct RowComparison {
  float kl = 0;
  TokenId base_best = -1, changed_best = -1;
};

/// Both models' losses on one target.
struct TargetLoss {
  float base = 0, changed = 0;  // negative log-likelihoods
};

/// Compares the logits of the rows of one step.
class StepComparison {
 public:
  StepComparison(Subject& base, Subject& changed, const StepTargets& step)
      : base_(base),
        changed_(changed),
        step_(step),
        index_(step.index()),
        rows_(step.rows.size()),
        losses_(step.targets.size()),
        vocab_(static_cast<std::size_t>(base.model.config.vocab)),
        log_probs_(block_rows * vocab_) {}

  void compare(const float* base_hidden, const float* changed_hidden) {
    for (std::size_t first = 0; first < step_.rows.size(); first += block_rows) {
      const auto rows = std::span(step_.rows).subspan(first, std::min(block_rows, step_.rows.size() - first));
      base_.runner.logits(base_hidden, rows, [&](const LogitsBlock& block) { read_base(block, first); });
      changed_.runner.logits(changed_hidden, rows, [&](const LogitsBlock& block) { read_changed(block, first); });
    }
  }

  [[nodiscard]] const RowComparison& row(std::size_t i) const { return rows_[i]; }
  [[nodiscard]] const TargetLoss& loss(std::size_t target) const { return losses_[target]; }

 private:
  std::size_t row_of(const LogitsBlock& block, std::size_t i) const {
    return static_cast<std::size_t>(index_[static_cast<std::size_t>(block.rows[i])]);
  }

  void read_base(const LogitsBlock& block, std::size_t first) {
    const int count = static_cast<int>(block.rows.size());
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::size_t row = row_of(block, at);
      const float total = log_sum_exp(block.row(at), block.scale(at), block.vocab);
      store_log_probs(block.row(at), block.scale(at), total, block.vocab, &log_probs_[(row - first) * vocab_]);
      rows_[row].base_best = argmax(block.row(at), block.vocab);
      each_target(
          row, [&](std::size_t t, TokenId token) { losses_[t].base = total - block.row(at)[token] * block.scale(at); });
    }
  }

  void read_changed(const LogitsBlock& block, std::size_t first) {
    const int count = static_cast<int>(block.rows.size());
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::size_t row = row_of(block, at);
      const float scale = block.scale(at), total = log_sum_exp(block.row(at), scale, block.vocab);
      rows_[row].kl = divergence(&log_probs_[(row - first) * vocab_], block.row(at), scale, total, block.vocab).kl;
      rows_[row].changed_best = argmax(block.row(at), block.vocab);
      each_target(row,
                  [&](std::size_t t, TokenId token) { losses_[t].changed = total - block.row(at)[token] * scale; });
    }
  }

  template <typename Visit>
  void each_target(std::size_t row, const Visit& visit) const {
    for (int t = step_.first[row]; t < step_.first[row + 1]; ++t)
      visit(static_cast<std::size_t>(t), step_.targets[static_cast<std::size_t>(t)].token);
  }

  Subject& base_;
  Subject& changed_;
  const StepTargets& step_;
  const std::vector<int> index_;
  std::vector<RowComparison> rows_;
  std::vector<TargetLoss> losses_;
  const std::size_t vocab_;
  std::vector<std::uint16_t> log_probs_;  // of the base, [block_rows, V], half floats
};

/// Sums over the windows, by window.
struct Sums {
  explicit Sums(std::span<const Request> windows)
      : kl(windows.size()), agreement(windows.size()), base(windows.size()), changed(windows.size()) {
    for (const Request& window : windows) {
      tokens.push_back(static_cast<int>(window.continuation.size()));
      next_position_.push_back(static_cast<int>(window.context.size()));
    }
  }

  void add(const StepTargets& step, const StepComparison& found) {
    for (std::size_t row = 0; row < step.rows.size(); ++row) {
      for (auto t = static_cast<std::size_t>(step.first[row]); t < static_cast<std::size_t>(step.first[row + 1]); ++t) {
        const auto window = static_cast<std::size_t>(step.targets[t].request);
        if (!std::isfinite(found.loss(t).base) || !std::isfinite(found.loss(t).changed)) fail("{}", damaged_model);
        kl[window] += static_cast<double>(found.row(row).kl);
        agreement[window] += found.row(row).base_best == found.row(row).changed_best ? 1 : 0;
        base[window] += static_cast<double>(found.loss(t).base);
        changed[window] += static_cast<double>(found.loss(t).changed);
        Part& part = part_at(next_position_[window]++, window);
        part.tokens += 1;
        part.kl += static_cast<double>(found.row(row).kl);
        part.nll_change += static_cast<double>(found.loss(t).changed - found.loss(t).base);
      }
    }
  }

  [[nodiscard]] std::vector<PositionDivergence> by_position() const {
    std::vector<PositionDivergence> result;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      std::vector<double> part_kl, part_nll;
      for (const Part& part : parts_[i]) {
        if (part.tokens == 0) continue;
        part_kl.push_back(part.kl / part.tokens);
        part_nll.push_back(part.nll_change / part.tokens);
      }
      if (!part_kl.empty())
        result.push_back({i == 0 ? 0 : first_part << (i - 1), first_part << i, estimate(part_kl), estimate(part_nll)});
    }
    return result;
  }

  std::vector<double> kl, agreement, base, changed;
  std::vector<int> tokens;

 private:
  static constexpr int first_part = 256;

  /// Sums over the tokens at some positions of one window.
  struct Part {
    double kl = 0, nll_change = 0;
    int tokens = 0;
  };

  Part& part_at(int position, std::size_t window) {
    const auto i = static_cast<std::size_t>(std::bit_width(static_cast<unsigned>(position / first_part)));
    if (parts_.size() <= i) parts_.resize(i + 1, std::vector<Part>(tokens.size()));
    return parts_[i][window];
  }

  std::vector<std::vector<Part>> parts_;  // by position, then by window
  std::vector<int> next_position_;        // of each window's next target
};

}  // namespace

TextDivergence measure_divergence(Subject& base, Subject& changed, std::span<const Request> windows) {
  LB_CHECK(base.model.config.vocab == changed.model.config.vocab);
  const std::vector<TokenRun> runs = build_prefix_tree(windows, base.model.config.rope);
  std::int64_t total = 0;
  for (const TokenRun& run : runs) total += static_cast<std::int64_t>(run.tokens.size());
  Progress progress("divergence", total, "tokens");

  Sums sums(windows);
  RunSchedule schedule(runs);
  RunReader base_reader(base, runs), changed_reader(changed, runs);
  for (auto pieces = schedule.next(); !pieces.empty(); pieces = schedule.next()) {
    check_interrupt("evaluation stopped; nothing was written, the same command starts it again");
    const StepTargets step = targets_of(runs, pieces);
    StepComparison comparison(base, changed, step);
    const float* base_hidden = base_reader.read(pieces);
    const float* changed_hidden = changed_reader.read(pieces);
    comparison.compare(base_hidden, changed_hidden);
    sums.add(step, comparison);
    progress.advance(step.step_rows);
  }

  TextDivergence result;
  result.base = {window_mean(sums.base, sums.tokens)};
  result.changed = {window_mean(sums.changed, sums.tokens)};
  result.nll_change = paired_difference(result.base.nll.windows, result.changed.nll.windows);
  result.kl = window_mean(sums.kl, sums.tokens).mean;
  result.positions = sums.by_position();
  result.agreement = window_mean(sums.agreement, sums.tokens).mean;
  return result;
}

}  // namespace layerboost
