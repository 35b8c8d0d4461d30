// `bench --url`: levels of load on a server, one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/print.h"
#include "net/load_client.h"

namespace layerboost {

struct ServerLoadOptions {
  LoadTarget target;             // model empty: the first that the server has
  std::vector<double> rates;     // requests a second; both lists empty: all requests at once
  std::vector<int> concurrency;  // requests under way
  int requests = 100;            // of each level
  int prompt = 1024;             // tokens of each prompt, sampled at random
  int generate = 128;            // tokens of each answer
  int vocabulary = 0;            // tokens are sampled below it; 0: what the server says, else 32000
  std::string tokenizer;         // a model whose tokenizer turns the prompts into text; empty: they are sent as ids
};

/// Sends one request first, runs every level and prints the table as it grows. Returns {"results": [...]}, each with
/// load_report()'s fields and what was asked. Throws Error when the first request fails, Interrupted when the user
/// asked to stop.
Json measure_server(ServerLoadOptions options, std::uint64_t seed, const Print& print);

}  // namespace layerboost
