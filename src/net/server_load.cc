#include "net/server_load.h"

#include <optional>

#include "artifact/model_files.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "base/progress.h"
#include "model/checkpoint.h"
#include "net/load_report.h"
#include "net/load_start.h"
#include "text/tokenizer.h"

namespace layerboost {
namespace {

struct Prompts {
  std::vector<std::string> bodies;
  std::vector<int> tokens;
};

std::vector<LoadLevel> levels_of(const ServerLoadOptions& options) {
  std::vector<LoadLevel> levels;
  for (const double rate : options.rates) levels.push_back({.rate = rate});
  for (const int concurrency : options.concurrency) levels.push_back({.concurrency = concurrency});
  if (levels.empty()) levels.emplace_back();
  return levels;
}

/// Texts may have a few tokens more or less than the ids that they were made of, as in vLLM's client: they are counted
/// again.
Prompts make_prompts(const ServerLoadOptions& options, const Tokenizer* tokenizer, int count, std::uint64_t seed) {
  Prompts prompts;
  for (const std::vector<int>& ids : random_prompts(count, options.prompt, options.vocabulary, seed)) {
    Json prompt = ids;
    prompts.tokens.push_back(options.prompt);
    if (tokenizer != nullptr) {
      std::string text = tokenizer->decode(ids, true);
      prompts.tokens.back() = static_cast<int>(tokenizer->encode(text, false).size());
      prompt = std::move(text);
    }
    prompts.bodies.push_back(
        completion_body(options.target, prompt, options.generate).dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return prompts;
}

}  // namespace

Json measure_server(ServerLoadOptions options, std::uint64_t seed, const Print& print) {
  std::optional<Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) tokenizer.emplace(find_model_files(options.tokenizer).checkpoint->tokenizer());
  const Tokenizer* const text = tokenizer ? &*tokenizer : nullptr;
  if (text != nullptr) options.vocabulary = static_cast<int>(text->size());
  complete_target(options.target, options.vocabulary);
  const Prompts one = make_prompts(options, text, 1, ~seed);
  try_server(options.target, one.bodies.front(), one.tokens.front(), options.generate);
  print(fmt::format("{} at {}: {} requests for each line, {} tokens of prompt, {} generated\n{}\n",
                    printable(options.target.model, 200), options.target.url, options.requests, options.prompt,
                    options.generate, load_table_header()));
  Json results = Json::array();
  for (const LoadLevel& level : levels_of(options)) {
    // Other prompts for each level: nothing of the one before may be found in the server's cache.
    const Prompts prompts = make_prompts(options, text, options.requests, seed + results.size());
    Progress progress("requests", options.requests, "requests");
    const LoadResult result = run_load(options.target, prompts.bodies, prompts.tokens, level, seed,
                                       [&](const LoadOutcome&) { progress.advance(); });
    Json report = report_head(options.target, options.tokenizer);
    report["random_input_len"] = options.prompt;
    report["random_output_len"] = options.generate;
    report.update(load_report(result, level));
    print(fmt::format("{}\n", load_table_line(report)));
    if (!report["errors"].empty()) warn("{}", report["errors"].front().get<std::string>());
    results.push_back(std::move(report));
  }
  return {{"results", std::move(results)}};
}

}  // namespace layerboost
