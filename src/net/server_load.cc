#include "net/server_load.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include "artifact/model_files.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/random.h"
#include "model/checkpoint.h"
#include "net/load_report.h"
#include "text/tokenizer.h"

namespace layerboost {
namespace {

constexpr int usual_vocabulary = 32000;

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

void complete(ServerLoadOptions& options, const Tokenizer* tokenizer) {
  const ServedModels served = served_models(options.target);
  if (options.target.model.empty()) {
    if (served.names.empty()) fail("{}: the server has no model", options.target.url);
    options.target.model = served.names.front();
  }
  if (tokenizer != nullptr) options.vocabulary = static_cast<int>(tokenizer->size());
  if (options.vocabulary == 0) options.vocabulary = served.vocabulary > 0 ? served.vocabulary : usual_vocabulary;
  if (options.vocabulary <= first_random_token)
    fail("`vocab` {}: must be more than {}", options.vocabulary, first_random_token);
}

void try_one(const ServerLoadOptions& options, const Tokenizer* tokenizer, std::uint64_t seed) {
  const Prompts one = make_prompts(options, tokenizer, 1, ~seed);
  const LoadResult result = run_load(options.target, one.bodies, one.tokens, {}, seed, [](const LoadOutcome&) {});
  if (const std::string& error = result.outcomes[0].error; !error.empty())
    fail("the first request to {} failed: {}", options.target.url, error);
  const int generated = result.outcomes[0].generated_tokens;
  if (generated != options.generate)
    warn("the server wrote {} tokens instead of {}; it may not know \"ignore_eos\"", generated, options.generate);
}

std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc)};
}

}  // namespace

Json measure_server(ServerLoadOptions options, std::uint64_t seed, const Print& print) {
  std::optional<Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) tokenizer.emplace(find_model_files(options.tokenizer).checkpoint->tokenizer());
  const Tokenizer* const text = tokenizer ? &*tokenizer : nullptr;
  complete(options, text);
  try_one(options, text, seed);
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
    Json report = {{"date", date()},
                   {"endpoint_type", "openai"},
                   {"label", nullptr},
                   {"model_id", options.target.model},
                   {"tokenizer_id", text != nullptr ? Json(options.tokenizer) : Json()},
                   {"url", options.target.url},
                   {"random_input_len", options.prompt},
                   {"random_output_len", options.generate}};
    report.update(load_report(result, level));
    print(fmt::format("{}\n", load_table_line(report)));
    if (!report["errors"].empty()) warn("{}", report["errors"].front().get<std::string>());
    results.push_back(std::move(report));
  }
  return {{"results", std::move(results)}};
}

}  // namespace layerboost
