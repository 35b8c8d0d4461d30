// Shared prefixes of requests: the choices of one question, the questions of one header.
#pragma once

#include <span>
#include <vector>

#include "generate/token_run.h"

namespace layerboost {

/// Cuts the inputs of `requests` (context + continuation without its last token, which predicts nothing) into a tree of
/// runs, parents before children, so that prefixes which are worth a fork are read once. Every token of every
/// continuation becomes one target. Requests without continuation get none.
std::vector<TokenRun> build_prefix_tree(std::span<const Request> requests);

}  // namespace layerboost
