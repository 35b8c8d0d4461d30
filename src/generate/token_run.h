// What is read together: requests, and the runs of tokens that they are cut into so that shared prefixes are read once.
#pragma once

#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// Asks for log p(continuation | context). The context has at least one token; the continuation may be empty.
struct Request {
  std::vector<TokenId> context, continuation;
};

/// A prediction that is asked for: row `row` of a run gives the distribution in which `token` is looked up for
/// requests[request].
struct Target {
  int row = 0;
  TokenId token = 0;
  int request = 0;
};

/// Tokens read one after another, after those of the parent run.
struct TokenRun {
  int parent = -1;  // index of a run before this one; -1: the sequence begins here
  std::vector<TokenId> tokens;
  std::vector<Target> targets;  // by row
  int rotations = 0;            // where those of the whole text begin (RopeConfig::rotations())
};

}  // namespace layerboost
