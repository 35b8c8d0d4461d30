#include "net/load_start.h"

#include <ctime>

#include "base/error.h"
#include "base/log.h"

namespace layerboost {
namespace {

constexpr int usual_vocabulary = 32000;

std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc)};
}

}  // namespace

ServedModels complete_target(LoadTarget& target, int& vocabulary) {
  ServedModels served = served_models(target);
  if (target.model.empty()) {
    if (served.names.empty()) fail("{}: the server has no model", target.url);
    target.model = served.names.front();
  }
  if (vocabulary == 0) vocabulary = served.vocabulary > 0 ? served.vocabulary : usual_vocabulary;
  if (vocabulary <= first_random_token) fail("`vocab` {}: must be more than {}", vocabulary, first_random_token);
  return served;
}

void try_server(const LoadTarget& target, const std::string& body, int prompt_tokens, int generate) {
  const LoadResult result = run_load_at(target, {body}, {prompt_tokens}, {0.0}, [](const LoadOutcome&) {});
  const LoadOutcome& outcome = result.outcomes.front();
  if (!outcome.error.empty()) fail("the first request to {} failed: {}", target.url, outcome.error);
  if (outcome.generated_tokens != generate)
    warn("the server wrote {} tokens instead of {}; it may not know \"ignore_eos\"", outcome.generated_tokens,
         generate);
}

Json report_head(const LoadTarget& target, const std::string& tokenizer) {
  return {{"date", date()},
          {"endpoint_type", "openai"},
          {"label", nullptr},
          {"model_id", target.model},
          {"tokenizer_id", tokenizer.empty() ? Json() : Json(tokenizer)},
          {"url", target.url}};
}

}  // namespace layerboost
