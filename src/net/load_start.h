// What comes before load on a server: whom to ask, and whether it answers.
#pragma once

#include <string>

#include "base/json.h"
#include "net/load_client.h"

namespace layerboost {

/// Asks the server for what is left open: an empty `target.model` becomes the first that it has, a `vocabulary` of 0
/// what it says, else 32000. Returns all that it said. Throws Error when it can't be asked, has no model, or no tokens
/// can be sampled below the vocabulary.
ServedModels complete_target(LoadTarget& target, int& vocabulary);

/// Sends one request (`body`, whose prompt has so many tokens) for `generate` tokens. Throws Error when it fails, and
/// warns of an answer of another length.
void try_server(const LoadTarget& target, const std::string& body, int prompt_tokens, int generate);

/// What a report says before its numbers, now: vLLM's "date", "endpoint_type", "label", "model_id" and "tokenizer_id"
/// (null without one), and "url".
Json report_head(const LoadTarget& target, const std::string& tokenizer);

}  // namespace layerboost
