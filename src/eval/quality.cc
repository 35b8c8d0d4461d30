#include "eval/quality.h"

#include <cmath>
#include <numeric>

#include "base/log.h"
#include "eval/text_data.h"

namespace layerboost {
namespace {

/// What there is to measure, read and checked.
struct Work {
  TextData text;
  std::vector<Request> windows;
  std::vector<Task> tasks;
  TokenId bos = -1;
};

Work prepare(const Model& model, const QualityOptions& options) {
  Work work;
  const Tokenizer& tokenizer = model.text();
  work.bos = bos_token(tokenizer, options.bos);
  work.tasks = read_tasks(options.tasks, options.limit);
  for (const int length : options.passkey) check_passkey(tokenizer, length, work.bos, model.config.max_positions);
  if (!options.text.empty()) {
    work.text = read_text(options.text);
    const WindowOptions windows = {options.context, options.stride, options.limit, work.bos};
    const std::vector<TokenId> tokens = first_tokens(tokenizer, work.text.text, tokens_needed(windows));
    work.windows = text_windows(tokens, windows, model.config.max_positions);
    const std::size_t body = static_cast<std::size_t>(options.context) - (work.bos >= 0 ? 1 : 0);
    if (tokens.size() < body) note("`context` {}: the text has only {} tokens", options.context, tokens.size());
  }
  return work;
}

Json to_json(const Perplexity& perplexity) {
  return {{"nll", perplexity.nll.mean.mean},
          {"ppl", perplexity.ppl()},
          {"tokens", perplexity.nll.tokens},
          {"windows", perplexity.nll.windows.size()},
          {"nll_stderr", perplexity.nll.mean.error}};
}

Json to_json(const TextDivergence& divergence) {
  return {{"mean", divergence.kl.mean},
          {"stderr", divergence.kl.error},
          {"agreement", divergence.agreement.mean},
          {"agreement_stderr", divergence.agreement.error},
          {"base_ppl", divergence.base.ppl()},
          {"nll_change", divergence.nll_change.mean},
          {"nll_change_stderr", divergence.nll_change.error}};
}

/// A character for each item: 1 where it was answered rightly.
std::string marks(const std::vector<TaskItemScore>& items, bool TaskItemScore::*correct) {
  std::string marks;
  for (const TaskItemScore& item : items) marks += item.*correct ? '1' : '0';
  return marks;
}

Json to_json(const TaskResult& task) {
  if (task.kind == TaskKind::last_word) {
    const double perplexity = std::exp(-task.log_likelihood.mean);
    return {{"acc", task.acc.mean},     {"acc_stderr", task.acc.error},
            {"perplexity", perplexity}, {"perplexity_stderr", perplexity * task.log_likelihood.error},
            {"n", task.acc.n},          {"acc_items", marks(task.items, &TaskItemScore::correct)}};
  }
  return {{"acc", task.acc.mean},
          {"acc_norm", task.acc_norm.mean},
          {"acc_stderr", task.acc.error},
          {"acc_norm_stderr", task.acc_norm.error},
          {"n", task.acc.n},
          {"acc_items", marks(task.items, &TaskItemScore::correct)},
          {"acc_norm_items", marks(task.items, &TaskItemScore::correct_norm)}};
}

Json to_json(const PasskeyResult& passkey) {
  Json depths = Json::array();
  for (const PasskeyCell& cell : passkey.depths) {
    depths.push_back(
        {{"depth", cell.depth}, {"acc", cell.acc.mean}, {"logprob", cell.log_prob.mean}, {"n", cell.acc.n}});
  }
  return {{"length", passkey.length},
          {"acc", passkey.acc.mean},
          {"acc_stderr", passkey.acc.error},
          {"logprob", passkey.log_prob.mean},
          {"logprob_stderr", passkey.log_prob.error},
          {"n", passkey.acc.n},
          {"depths", depths}};
}

Json data_json(const QualityReport& report) {
  const QualityOptions& options = report.options;
  Json data = {{"bos", name_of(options.bos)}};
  if (options.limit > 0) data["limit"] = options.limit;
  if (report.perplexity) {
    data["text"] = {{"file", options.text}, {"hash", report.text_hash}};
    data["context"] = options.context;
    if (options.stride > 0) data["stride"] = options.stride;
  }
  for (std::size_t i = 0; i < report.tasks.size(); ++i)
    data["tasks"][report.tasks[i].name] = {{"file", options.tasks[i]}, {"hash", report.task_hashes[i]}};
  return data;
}

}  // namespace

QualityReport measure_quality(const ModelWithMixers& measured, const ModelWithMixers* unchanged,
                              const QualityOptions& options) {
  const Work work = prepare(measured.model, options);
  QualityReport report;
  report.options = options;
  report.text_name = work.text.name;
  report.text_hash = work.text.hash;
  Subject subject(measured.model, measured.mixers);
  if (!work.windows.empty() && unchanged != nullptr) {
    Subject base(unchanged->model, unchanged->mixers);
    report.divergence = measure_divergence(base, subject, work.windows);
    report.perplexity = report.divergence->changed;
  } else if (!work.windows.empty()) {
    report.perplexity = measure_perplexity(subject, work.windows);
  }
  for (const Task& task : work.tasks) {
    report.tasks.push_back(run_task(subject, task, work.bos));
    report.task_hashes.push_back(task.hash);
  }
  for (const int length : options.passkey)
    report.passkey.push_back(run_passkey(subject, length, options.seed, work.bos));
  return report;
}

Json to_json(const QualityReport& report) {
  Json json = Json::object();
  if (report.perplexity) json["perplexity"] = to_json(*report.perplexity);
  if (report.divergence) json["kl"] = to_json(*report.divergence);
  for (const TaskResult& task : report.tasks) json["tasks"][task.name] = to_json(task);
  for (const PasskeyResult& passkey : report.passkey) json["passkey"].push_back(to_json(passkey));
  json["data"] = data_json(report);
  return json;
}

}  // namespace layerboost
