// Perplexity of a text, cut into windows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/scoring.h"
#include "eval/statistics.h"

namespace layerboost {

struct WindowOptions {
  int context = 1024;             // tokens of a window, BOS among them
  int stride = 0;                 // tokens from one window to the next; 0: windows don't overlap
  int limit = 0;                  // the first so many windows; 0: all
  TokenId bos = -1;               // what each window begins with; -1: nothing
  std::string name = "the text";  // for messages
};

/// How many tokens of a text the windows need; 0: all.
std::size_t tokens_needed(const WindowOptions& options);

/// Cuts `tokens` into full windows (one shorter window where there is less than one). The first token of a window is
/// never scored, and with a stride only the tokens that no window before scored are. Throws Error for a context outside
/// 2 .. max_positions (0: any), a stride that leaves tokens out, or fewer than two tokens in a window.
std::vector<Request> text_windows(std::span<const TokenId> tokens, const WindowOptions& options, int max_positions);

struct Perplexity {
  WindowMean nll;  // negative log-likelihood of the scored tokens, nats

  /// exp(nll), and its error by the delta method: ppl * error(nll).
  [[nodiscard]] double ppl() const;
  [[nodiscard]] double ppl_error() const;
};

Perplexity measure_perplexity(Subject& subject, std::span<const Request> windows);

}  // namespace layerboost
