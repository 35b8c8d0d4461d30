#include "mixer/model_testing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace layerboost {

std::vector<double> token_log_probs(const Model& model, const MixerList& mixers, std::span<const TokenId> tokens,
                                    int chunk) {
  CachePools pools;
  Sequence sequence(mixers, pools);
  Runner runner(model);
  std::vector<double> result(tokens.size(), 0);
  for (std::size_t first = 0; first < tokens.size(); first += static_cast<std::size_t>(chunk)) {
    const BatchItem item{&sequence,
                         tokens.subspan(first, std::min(static_cast<std::size_t>(chunk), tokens.size() - first))};
    const float* const hidden = runner.forward({&item, 1});
    std::vector<int> rows(item.tokens.size());
    std::iota(rows.begin(), rows.end(), 0);
    runner.logits(hidden, rows, [&](const LogitsBlock& block) {
      for (std::size_t i = 0; i < block.rows.size(); ++i) {
        const std::size_t next = first + static_cast<std::size_t>(block.rows[i]) + 1;
        if (next >= tokens.size()) continue;
        double sum = 0;
        for (int v = 0; v < block.vocab; ++v) sum += std::exp(static_cast<double>(block.row(i)[v] * block.scale(i)));
        result[next] = static_cast<double>(block.row(i)[tokens[next]] * block.scale(i)) - std::log(sum);
      }
    });
  }
  return result;
}

std::vector<TokenId> greedy(const Model& model, const MixerList& mixers, std::span<const TokenId> prompt, int count) {
  CachePools pools;
  Sequence sequence(mixers, pools);
  Runner runner(model);
  std::vector<TokenId> tokens(prompt.begin(), prompt.end()), result;
  for (int i = 0; i < count; ++i) {
    const BatchItem item{&sequence, tokens};
    const float* const hidden = runner.forward({&item, 1});
    const int last = static_cast<int>(tokens.size()) - 1;
    runner.logits(hidden, {&last, 1}, [&](const LogitsBlock& block) { tokens = {argmax(block.row(0), block.vocab)}; });
    result.push_back(tokens[0]);
  }
  return result;
}

}  // namespace layerboost
