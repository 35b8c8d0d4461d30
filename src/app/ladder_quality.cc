#include "app/ladder_quality.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <utility>

#include "base/error.h"
#include "engine/throughput.h"

namespace layerboost {
namespace {

constexpr int generated_tokens = 32, step_tokens = 2048;

int positions_of(const SpeedTarget& decode) {
  return throughput_positions(decode.batch, decode.context, generated_tokens, step_tokens);
}

/// What is nearest to 64x1024 and fits.
SpeedTarget fitting_target(int max_positions) {
  SpeedTarget decode;
  while (max_positions > 0 && positions_of(decode) > max_positions && (decode.batch > 1 || decode.context > 1)) {
    decode.batch = std::max(1, decode.batch / 2);
    decode.context = std::max(1, decode.context / 2);
  }
  return decode;
}

/// The mean over wordings and forms, each weighing as much.
template <typename Value>
double mean_of_rows(const RetrievalResult& result, const Value& value) {
  double sum = 0;
  for (const RetrievalRow& row : result.rows) sum += value(row);
  return result.rows.empty() ? 0 : sum / static_cast<double>(result.rows.size());
}

double found_in(const RetrievalResult& result) {
  return mean_of_rows(result, [](const RetrievalRow& row) { return row.found.mean; });
}

double log_prob_in(const RetrievalResult& result) {
  return mean_of_rows(result, [](const RetrievalRow& row) { return row.log_prob.mean; });
}

}  // namespace

SpeedTarget decode_target(const LadderQualityOptions& options, int max_positions) {
  if (options.decode.empty()) return fitting_target(max_positions);
  static const std::regex form("([0-9]{1,4})x([0-9]{1,8})");
  std::smatch parts;
  if (!std::regex_match(options.decode, parts, form))
    fail("`decode` {}: expected BATCHxCONTEXT, such as 64x1024", options.decode);
  const SpeedTarget decode{1, std::stoi(parts[1]), std::stoi(parts[2])};
  if (decode.batch < 1 || decode.batch > 4096 || decode.context < 1)
    fail("`decode` {}: expected 1 to 4096 sequences of at least one position", options.decode);
  if (max_positions > 0 && positions_of(decode) > max_positions)
    fail("`decode` {}: comes to {} positions, and the model has {}", options.decode, positions_of(decode),
         max_positions);
  return decode;
}

void fit_to_model(LadderQualityOptions& options, bool retrieval_given, const Model& model) {
  const int positions = model.config.max_positions;
  if (positions > 0) {
    constexpr int answer = 24;  // tokens, at most
    options.window = std::min(options.window, positions);
    if (!retrieval_given) std::erase_if(options.retrieval, [&](int length) { return length + answer > positions; });
  }
  for (const int length : options.retrieval) check_retrieval(model.text(), length, positions);
}

LadderQuality::LadderQuality(const OpenedLadder& ladder, const LadderQualityOptions& options, const fs::path& text,
                             const CostModel* cost, Json unchanged)
    : ladder_(ladder),
      options_(options),
      text_(text),
      cost_(cost),
      decode_(decode_target(options, ladder.opened.model->config.max_positions)),
      unchanged_model_(ladder.opened),
      unchanged_(std::move(unchanged)) {}

ModelWithMixers LadderQuality::unchanged_run() const {
  if (const ModelWithMixers* other = unchanged_model_.get()) return *other;
  return {*ladder_.opened.model, ladder_.opened.unchanged()};
}

QualityOptions LadderQuality::what() const {
  QualityOptions what;
  what.texts = {text_.string()};
  what.limit = options_.windows;
  what.context = options_.window;
  what.retrieval = options_.retrieval;
  what.retrieval_places = options_.places;
  what.retrieval_compared = false;  // once for all levels is enough
  what.seed = options_.seed;
  return what;
}

double LadderQuality::decode_speed(const ModelWithMixers& run) const {
  return run_throughput(run.model, run.mixers, decode_.batch, decode_.context, generated_tokens, step_tokens)
      .generate_speed();
}

double LadderQuality::measure_speed(int level) const {
  return decode_speed({*ladder_.opened.model, ladder_.list(level)});
}

void LadderQuality::measure_unchanged_speed() {
  measure_unchanged();
  if (!unchanged_.contains("decode_speed")) unchanged_["decode_speed"] = decode_speed(unchanged_run());
}

void LadderQuality::measure_unchanged() {
  if (!unchanged_.is_null()) return;
  const ModelWithMixers run = unchanged_run();
  const QualityReport report = measure_quality(run, nullptr, what());
  Json found = {{"perplexity", report.texts.front().perplexity.ppl()}};
  for (const RetrievalResult& result : report.retrieval)
    found["retrieval"].push_back(
        {{"length", result.length}, {"found", found_in(result)}, {"logprob", log_prob_in(result)}});
  unchanged_ = found;
}

void LadderQuality::count(int level, LevelQuality& quality) const {
  const Config& config = ladder_.opened.model->config;
  const auto bytes = [&](const std::vector<MixerSpec>& specs) {
    std::int64_t sum = 0;
    for (const MixerSpec& spec : specs)
      sum += static_cast<std::int64_t>(kv_bytes(config, spec, ladder_.ladder.context, 2));
    return sum;
  };
  const std::vector<MixerSpec> specs = ladder_.ladder.specs(level), own = native_specs(config);
  quality.kv_bytes = bytes(specs);
  quality.kv_fraction = static_cast<double>(quality.kv_bytes) / static_cast<double>(bytes(own));
  if (cost_ != nullptr)
    quality.speedup = cost_->step_seconds(own, decode_.batch, decode_.context) /
                      cost_->step_seconds(specs, decode_.batch, decode_.context);
}

std::vector<LevelTask> LadderQuality::task_accuracies(const ModelWithMixers& run) const {
  if (options_.tasks.empty()) return {};
  QualityOptions what;
  what.tasks = options_.tasks;
  what.limit = options_.task_items;
  std::vector<LevelTask> accuracies;
  for (const TaskResult& task : measure_quality(run, nullptr, what).tasks)
    accuracies.push_back({task.name, (task.kind == TaskKind::multiple_choice ? task.acc_norm : task.acc).mean});
  return accuracies;
}

LevelQuality LadderQuality::measure(int level) {
  measure_unchanged();
  LevelQuality quality;
  quality.mixers = ladder_.ladder.level_hash(level);
  count(level, quality);
  const ModelWithMixers run = {*ladder_.opened.model, ladder_.list(level)};
  quality.tasks = task_accuracies(run);
  const std::string where = "the unchanged model";
  const auto before = get_or<std::vector<Json>>(unchanged_, "retrieval", {}, where);
  const auto retrieval_of = [&](int length, double found, double log_prob) {
    for (const Json& row : before) {
      if (get<int>(row, "length", where) != length) continue;
      const auto own = get<double>(row, "found", where);
      quality.retrieval.push_back(
          {length, found, own > 0 ? found / own : 1, get<double>(row, "logprob", where) - log_prob});
    }
  };
  if (level == 0 && !ladder_.opened.planned()) {
    quality.perplexity = get<double>(unchanged_, "perplexity", where);
    for (const Json& row : before)
      retrieval_of(get<int>(row, "length", where), get<double>(row, "found", where),
                   get<double>(row, "logprob", where));
    return quality;
  }
  const ModelWithMixers unchanged = unchanged_run();
  const QualityReport report = measure_quality(run, &unchanged, what());
  const TextQuality& text = report.texts.front();
  quality.perplexity = text.perplexity.ppl();
  quality.kl = text.divergence->kl.mean;
  quality.kl_error = std::isfinite(text.divergence->kl.error) ? text.divergence->kl.error : 0;
  quality.perplexity_ratio = std::exp(text.divergence->nll_change.mean);
  const double error = text.divergence->nll_change.error;
  quality.perplexity_ratio_error = std::isfinite(error) ? quality.perplexity_ratio * error : 0;
  for (const RetrievalResult& result : report.retrieval)
    retrieval_of(result.length, found_in(result), log_prob_in(result));
  return quality;
}

}  // namespace layerboost
