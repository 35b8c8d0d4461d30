#include "eval/quality.h"

#include <cmath>
#include <numeric>

#include "base/log.h"
#include "eval/text_data.h"

namespace layerboost {
namespace {

/// What there is to measure, read and checked.
struct Work {
  struct Text {
    TextData data;
    std::vector<Request> windows;
  };
  std::vector<Text> texts;
  std::vector<Task> tasks;
  std::vector<std::vector<RetrievalItem>> retrieval;  // by length
  TokenId bos = -1;
};

/// Questions in wordings that nothing is chosen by, in the text that is measured where there is one.
std::vector<RetrievalItem> make_retrieval(const Model& model, const QualityOptions& options, int length,
                                          std::string_view text, TokenId bos) {
  std::vector<FillerText> fillers = {repeated_filler()};
  if (FillerText prose = filler_of(text); !prose.empty()) fillers.push_back(std::move(prose));
  RetrievalOptions family;
  family.length = length;
  family.depths = options.retrieval_places;
  family.seed = options.seed;
  family.bos = bos;
  return retrieval_items(model.text(), fillers, family);
}

Work prepare(const Model& model, const QualityOptions& options) {
  Work work;
  const Tokenizer& tokenizer = model.text();
  work.bos = bos_token(tokenizer, options.bos);
  work.tasks = read_tasks(options.tasks, options.limit);
  for (const int length : options.retrieval) check_retrieval(tokenizer, length, model.config.longest_text());
  for (const int length : options.passkey) check_passkey(tokenizer, length, work.bos, model.config.longest_text());
  for (const std::string& file : options.texts) {
    Work::Text& text = work.texts.emplace_back(Work::Text{read_text(file), {}});
    const WindowOptions windows = {options.context, options.stride, options.limit, work.bos, text.data.name};
    const std::vector<TokenId> tokens = first_tokens(tokenizer, text.data.text, tokens_needed(windows));
    text.windows = text_windows(tokens, windows, model.config.longest_text());
    if (model.config.beyond_positions(options.context - 1))  // the last token is only predicted
      note("`context` {}: beyond the model's {} positions, where RoPE (dynamic) depends on a window's length",
           options.context, model.config.max_positions);
    const std::size_t body = static_cast<std::size_t>(options.context) - (work.bos >= 0 ? 1 : 0);
    if (tokens.size() < body)
      note("`context` {}: {} has only {} tokens", options.context, text.data.name, tokens.size());
  }
  const std::string_view first = work.texts.empty() ? std::string_view() : work.texts.front().data.text;
  for (const int length : options.retrieval)
    work.retrieval.push_back(make_retrieval(model, options, length, first, work.bos));
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
  Json positions = Json::array();
  for (const PositionDivergence& part : divergence.positions)
    positions.push_back({{"from", part.from},
                         {"to", part.to},
                         {"kl", part.kl.mean},
                         {"kl_stderr", part.kl.error},
                         {"nll_change", part.nll_change.mean},
                         {"nll_change_stderr", part.nll_change.error}});
  return {{"positions", positions},
          {"mean", divergence.kl.mean},
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
  if (task.kind == TaskKind::generate)
    return {{"acc", task.acc.mean},
            {"acc_stderr", task.acc.error},
            {"n", task.acc.n},
            {"acc_items", marks(task.items, &TaskItemScore::correct)}};
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

Json to_json(const Agreement& agreement) {
  return {{"equal", agreement.equal.mean},
          {"equal_stderr", agreement.equal.error},
          {"until", agreement.until.mean},
          {"until_stderr", agreement.until.error},
          {"n", agreement.equal.n}};
}

Json to_json(const AgreementResult& result) {
  Json json = {{"tokens", result.options.tokens}, {"plain", to_json(result.plain)}};
  if (result.chat.equal.n > 0) json["chat"] = to_json(result.chat);
  return json;
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json to_json(const RetrievalResult& result, const RetrievalResult* unchanged) {
  Json json = {{"length", result.length}};
  for (const bool chat : {false, true}) {
    const RetrievalRow* const worst = result.worst(chat);
    if (worst == nullptr) continue;
    Json form = {{"found", result.found(chat)},
                 {"logprob", result.log_prob(chat)},
                 {"margin", number_or_null(result.margin(chat))},
                 {"worst", worst->found.mean}};
    if (unchanged != nullptr) {
      const RetrievalKept kept = retrieval_kept(*unchanged, result, chat);
      form["kept"] = number_or_null(kept.share);
      if (kept.worst_wording >= 0) form["kept_worst"] = kept.worst;
    }
    json[chat ? "chat" : "plain"] = form;
  }
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const RetrievalRow& row = result.rows[i];
    const RetrievalWording& wording = all_wordings()[static_cast<std::size_t>(row.wording)];
    Json line = {{"kind", name_of(wording.kind)},
                 {"wording", label_of(wording)},
                 {"chat", row.chat},
                 {"found", row.found.mean},
                 {"logprob", row.log_prob.mean},
                 {"margin", number_or_null(row.margin.mean)},
                 {"n", row.found.n}};
    if (unchanged != nullptr) line["unchanged_found"] = unchanged->rows[i].found.mean;
    json["wordings"].push_back(line);
  }
  return json;
}

Json data_json(const QualityReport& report) {
  const QualityOptions& options = report.options;
  Json data = {{"bos", name_of(options.bos)}};
  if (options.limit > 0) data["limit"] = options.limit;
  if (!report.texts.empty()) {
    data["text"] = {{"file", options.texts.front()}, {"hash", report.texts.front().hash}};
    data["context"] = options.context;
    if (options.stride > 0) data["stride"] = options.stride;
  }
  for (std::size_t i = 0; i < report.tasks.size(); ++i)
    data["tasks"][report.tasks[i].name] = {{"file", options.tasks[i]}, {"hash", report.task_hashes[i]}};
  return data;
}

TextQuality measure_text(Subject& subject, Subject* base, const Work::Text& text) {
  TextQuality quality{text.data.name, text.data.hash, {}, {}};
  if (base == nullptr) {
    quality.perplexity = measure_perplexity(subject, text.windows);
  } else {
    quality.divergence = measure_divergence(*base, subject, text.windows);
    quality.perplexity = quality.divergence->changed;
  }
  return quality;
}

}  // namespace

QualityReport measure_quality(const ModelWithMixers& measured, const ModelWithMixers* unchanged,
                              const QualityOptions& options) {
  const Work work = prepare(measured.model, options);
  QualityReport report;
  report.options = options;
  Subject subject(measured.model, measured.mixers);
  std::optional<Subject> base;
  if (unchanged != nullptr) base.emplace(unchanged->model, unchanged->mixers);
  for (const Work::Text& text : work.texts)
    report.texts.push_back(measure_text(subject, base ? &*base : nullptr, text));
  if (base && options.agreement > 0 && !work.texts.empty()) {
    AgreementOptions prompts;
    prompts.prompts = options.agreement;
    report.agreement = measure_agreement(*base, subject, work.texts.front().data.text, prompts, work.bos);
  }
  for (const Task& task : work.tasks) {
    report.tasks.push_back(run_task(subject, task, work.bos));
    report.task_hashes.push_back(task.hash);
  }
  for (const int length : options.passkey)
    report.passkey.push_back(run_passkey(subject, length, options.seed, work.bos));
  for (std::size_t i = 0; i < work.retrieval.size(); ++i)
    report.retrieval.push_back(run_retrieval(subject, work.retrieval[i], options.retrieval[i]));
  if (base && options.retrieval_compared)
    for (std::size_t i = 0; i < work.retrieval.size(); ++i)
      report.unchanged_retrieval.push_back(run_retrieval(*base, work.retrieval[i], options.retrieval[i]));
  return report;
}

Json to_json(const QualityReport& report) {
  Json json = Json::object();
  for (std::size_t i = 0; i < report.texts.size(); ++i) {
    const TextQuality& text = report.texts[i];
    Json& place = i == 0 ? json : json["more_texts"].emplace_back(Json::object());
    if (i > 0) place = {{"file", report.options.texts[i]}, {"hash", text.hash}};
    place["perplexity"] = to_json(text.perplexity);
    if (text.divergence) place["kl"] = to_json(*text.divergence);
  }
  if (report.agreement) json["agreement"] = to_json(*report.agreement);
  for (const TaskResult& task : report.tasks) json["tasks"][task.name] = to_json(task);
  for (const PasskeyResult& passkey : report.passkey) json["passkey"].push_back(to_json(passkey));
  for (std::size_t i = 0; i < report.retrieval.size(); ++i)
    json["retrieval"].push_back(
        to_json(report.retrieval[i], report.unchanged_retrieval.empty() ? nullptr : &report.unchanged_retrieval[i]));
  json["data"] = data_json(report);
  return json;
}

}  // namespace layerboost
