#include <cmath>

#include "eval/quality.h"

namespace layerboost {
namespace {

/// "12.3 ± 0.4", without the error where there is none.
std::string with_error(double mean, double error, int digits) {
  if (!std::isfinite(error)) return fmt::format("{:.{}f}", mean, digits);
  return fmt::format("{:.{}f} ± {:.{}f}", mean, digits, error, digits);
}

std::string percent(const Estimate& share) { return with_error(100 * share.mean, 100 * share.error, 1) + " %"; }

std::string text_lines(const QualityReport& report) {
  const Perplexity& found = *report.perplexity;
  std::string lines = fmt::format("perplexity      {}   on {}: {} tokens in {} windows of at most {}\n",
                                  with_error(found.ppl(), found.ppl_error(), 3), report.text_name, found.nll.tokens,
                                  found.nll.windows.size(), report.options.context);
  lines += fmt::format("NLL             {} nats\n", with_error(found.nll.mean.mean, found.nll.mean.error, 4));
  if (!report.divergence) return lines;
  const TextDivergence& change = *report.divergence;
  lines += fmt::format("unchanged model {}   NLL {} lower\n", with_error(change.base.ppl(), change.base.ppl_error(), 3),
                       with_error(change.nll_change.mean, change.nll_change.error, 4));
  lines += fmt::format("KL from it      {} nats\n", with_error(change.kl.mean, change.kl.error, 4));
  lines += fmt::format("same best token {}\n", percent(change.agreement));
  return lines;
}

std::string task_line(const TaskResult& task) {
  const double perplexity = std::exp(-task.log_likelihood.mean);
  const std::string second = task.kind == TaskKind::last_word
                                 ? "perplexity " + with_error(perplexity, perplexity * task.log_likelihood.error, 2)
                                 : percent(task.acc_norm);
  return fmt::format("{:<20}  {:>6}  {:<14}  {}\n", task.name, task.acc.n, percent(task.acc), second);
}

std::string passkey_lines(const std::vector<PasskeyResult>& results) {
  std::string lines = fmt::format("{:<20}  {:>6}  {:<14}  {:<16}", "passkey", "n", "found", "log p of digits");
  for (const PasskeyCell& cell : results.front().depths) lines += fmt::format("  at {:>3.0f} %", 100 * cell.depth);
  lines += '\n';
  for (const PasskeyResult& result : results) {
    lines += fmt::format("{:<20}  {:>6}  {:<14}  {:<16}", fmt::format("{} tokens", result.length), result.acc.n,
                         percent(result.acc), with_error(result.log_prob.mean, result.log_prob.error, 3));
    for (const PasskeyCell& cell : result.depths) lines += fmt::format("  {:>6.0f} %", 100 * cell.acc.mean);
    lines += '\n';
  }
  return lines;
}

}  // namespace

std::string to_table(const QualityReport& report) {
  std::string table;
  if (report.perplexity) table += text_lines(report);
  if (!report.tasks.empty()) {
    if (!table.empty()) table += '\n';
    table += fmt::format("{:<20}  {:>6}  {:<14}  {}\n", "task", "n", "acc", "acc_norm");
    for (const TaskResult& task : report.tasks) table += task_line(task);
  }
  if (!report.passkey.empty()) {
    if (!table.empty()) table += '\n';
    table += passkey_lines(report.passkey);
  }
  return table;
}

}  // namespace layerboost
