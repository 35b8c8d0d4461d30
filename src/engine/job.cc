#include "engine/job.h"

#include <utility>

namespace layerboost {

namespace {

std::vector<TokenId> ends_of(const GenerationRequest& request, const std::vector<TokenId>& model_ends) {
  std::vector<TokenId> ends = request.stop_tokens;
  if (!request.ignore_eos) ends.insert(ends.end(), model_ends.begin(), model_ends.end());
  return ends;
}

}  // namespace

Job::Job(RequestId its_id, GenerationRequest its_request, Sink its_sink, PlanRange its_plans,
         const Tokenizer& tokenizer, const std::vector<TokenId>& model_ends, const Clock& clock,
         std::shared_ptr<const Constraint> constraint)
    : id(its_id),
      request(std::move(its_request)),
      sink(std::move(its_sink)),
      plans(its_plans),
      prompt_tokens(static_cast<int>(std::ssize(request.prompt))),
      ends(ends_of(request, model_ends)),
      since(clock),
      tokens(request.prompt),
      plan(its_plans.lowest),
      random(request.seed),
      processors(request.sampling, tokens),
      text(tokenizer, request),
      prompt_logprobs(request.prompt_logprobs >= 0 ? tokens.size() : 0) {
  if (constraint != nullptr) guide.emplace(std::move(constraint), tokenizer.leading_spaces(request.prompt));
}

}  // namespace layerboost
