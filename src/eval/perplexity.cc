#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace layerboost {
namespace {

/// Tokens of the text in one window.
std::size_t body_size(const WindowOptions& options) {
  return static_cast<std::size_t>(options.context - (options.bos >= 0 ? 1 : 0));
}

std::size_t step_size(const WindowOptions& options) {
  return options.stride > 0 ? static_cast<std::size_t>(options.stride) : body_size(options);
}

void check_options(const WindowOptions& options, int max_positions) {
  if (options.context < 2) fail("`context` {}: must be at least 2 tokens", options.context);
  if (max_positions > 0 && options.context > max_positions)
    fail("`context` {}: the model reads texts of up to {} tokens", options.context, max_positions);
  if (options.stride < 0 || static_cast<std::size_t>(options.stride) > body_size(options))
    fail("`stride` {}: must be at least 1 and at most the {} tokens of a window", options.stride, body_size(options));
}

}  // namespace

std::size_t tokens_needed(const WindowOptions& options) {
  if (options.limit <= 0) return 0;
  return body_size(options) + static_cast<std::size_t>(options.limit - 1) * step_size(options);
}

std::vector<Request> text_windows(std::span<const TokenId> tokens, const WindowOptions& options, int max_positions) {
  check_options(options, max_positions);
  const std::size_t body = std::min(body_size(options), tokens.size()), step = step_size(options);
  const std::size_t lead = options.bos >= 0 ? 1 : 0;
  if (body + lead < 2) fail("{} has {} tokens: a window needs at least 2", options.name, tokens.size());
  std::vector<Request> windows;
  for (std::size_t first = 0; first + body <= tokens.size(); first += step) {
    if (options.limit > 0 && windows.size() == static_cast<std::size_t>(options.limit)) break;
    const auto text = tokens.subspan(first, body);
    const std::size_t unscored = first == 0 || options.stride == 0 ? 1 - lead : body - step;
    Request window;
    if (lead > 0) window.context.push_back(options.bos);
    window.context.insert(window.context.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(unscored));
    window.continuation.assign(text.begin() + static_cast<std::ptrdiff_t>(unscored), text.end());
    if (window.context.empty()) {  // a stride of a whole window leaves its first token without context
      window.context.push_back(window.continuation.front());
      window.continuation.erase(window.continuation.begin());
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

double Perplexity::ppl() const { return std::exp(nll.mean.mean); }

double Perplexity::ppl_error() const { return ppl() * nll.mean.error; }

Perplexity measure_perplexity(Subject& subject, std::span<const Request> windows) {
  std::vector<double> sums;
  std::vector<int> tokens;
  for (const Score& score : score_requests(subject, windows, "perplexity")) {
    sums.push_back(-score.log_likelihood);
    tokens.push_back(score.tokens);
  }
  return {window_mean(sums, tokens)};
}

}  // namespace layerboost
