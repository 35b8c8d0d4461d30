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

std::string text_lines(const TextQuality& text, int context) {
  const Perplexity& found = text.perplexity;
  std::string lines = fmt::format("perplexity      {}   on {}: {} tokens in {} windows of at most {}\n",
                                  with_error(found.ppl(), found.ppl_error(), 3), text.name, found.nll.tokens,
                                  found.nll.windows.size(), context);
  lines += fmt::format("NLL             {} nats\n", with_error(found.nll.mean.mean, found.nll.mean.error, 4));
  if (!text.divergence) return lines;
  const TextDivergence& change = *text.divergence;
  lines += fmt::format("unchanged model {}   NLL {} lower\n", with_error(change.base.ppl(), change.base.ppl_error(), 3),
                       with_error(change.nll_change.mean, change.nll_change.error, 4));
  lines += fmt::format("KL from it      {} nats\n", with_error(change.kl.mean, change.kl.error, 4));
  lines += fmt::format("same best token {}\n", percent(change.agreement));
  if (change.positions.size() > 1)
    for (const PositionDivergence& part : change.positions)
      lines += fmt::format("{:<15} KL {}   NLL {} above its\n", fmt::format("  from {}", part.from),
                           with_error(part.kl.mean, part.kl.error, 4),
                           with_error(part.nll_change.mean, part.nll_change.error, 4));
  return lines;
}

std::string task_line(const TaskResult& task) {
  const double perplexity = std::exp(-task.log_likelihood.mean);
  if (task.kind == TaskKind::generate)
    return fmt::format("{:<20}  {:>6}  {:<14}\n", task.name, task.acc.n, percent(task.acc));
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

/// A form's cell: how much is found, and of what the unchanged model finds.
std::string form_line(const RetrievalResult& result, const RetrievalResult* unchanged, bool chat) {
  const RetrievalRow* const worst = result.worst(chat);
  const auto label = [](int wording) { return label_of(all_wordings()[static_cast<std::size_t>(wording)]); };
  std::string line =
      fmt::format("{:<20}  {:<6}  {:>5.1f} %  {:>8.3f}  {:>6.2f}  ", fmt::format("{} tokens", result.length),
                  chat ? "chat" : "plain", 100 * result.found(chat), result.log_prob(chat), result.margin(chat));
  if (unchanged == nullptr)
    return line + fmt::format("{:.0f} % \"{}\"\n", 100 * worst->found.mean, label(worst->wording));
  const RetrievalKept kept = retrieval_kept(*unchanged, result, chat);
  line += fmt::format("{:>5.1f} %  ", 100 * unchanged->found(chat));
  line += fmt::format("{:>6}  ", std::isfinite(kept.share) ? fmt::format("{:.1f} %", 100 * kept.share) : "-");
  if (kept.worst_wording < 0) return line + "-\n";
  return line + fmt::format("{:.0f} % \"{}\"\n", 100 * kept.worst, label(kept.worst_wording));
}

std::string agreement_lines(const AgreementResult& result) {
  std::string lines = fmt::format("{:<20}  {:>6}  {:<14}  tokens until they differ\n", "same greedy text", "n",
                                  fmt::format("equal at {}", result.options.tokens));
  const auto line = [](const char* form, const Agreement& found) {
    return fmt::format("{:<20}  {:>6}  {:<14}  {}\n", form, found.equal.n, percent(found.equal),
                       with_error(found.until.mean, found.until.error, 1));
  };
  lines += line("plain", result.plain);
  return result.chat.equal.n > 0 ? lines + line("chat", result.chat) : lines;
}

std::string retrieval_lines(const QualityReport& report) {
  const bool compared = !report.unchanged_retrieval.empty();
  std::string lines =
      fmt::format("{:<20}  {:<6}  {:>7}  {:>8}  {:>6}  ", "retrieval", "form", "found", "log p", "margin");
  lines += compared ? "unchanged     kept  worst kept\n" : "worst wording\n";
  for (std::size_t i = 0; i < report.retrieval.size(); ++i) {
    for (const bool chat : {false, true})
      if (report.retrieval[i].worst(chat) != nullptr)
        lines += form_line(report.retrieval[i], compared ? &report.unchanged_retrieval[i] : nullptr, chat);
  }
  return lines;
}

}  // namespace

std::string to_table(const QualityReport& report) {
  std::string table;
  for (const TextQuality& text : report.texts) {
    if (!table.empty()) table += '\n';
    table += text_lines(text, report.options.context);
  }
  if (report.agreement) table += '\n' + agreement_lines(*report.agreement);
  if (!report.tasks.empty()) {
    if (!table.empty()) table += '\n';
    table += fmt::format("{:<20}  {:>6}  {:<14}  {}\n", "task", "n", "acc", "acc_norm");
    for (const TaskResult& task : report.tasks) table += task_line(task);
  }
  if (!report.passkey.empty()) {
    if (!table.empty()) table += '\n';
    table += passkey_lines(report.passkey);
  }
  if (!report.retrieval.empty()) {
    if (!table.empty()) table += '\n';
    table += retrieval_lines(report);
  }
  return table;
}

}  // namespace layerboost
