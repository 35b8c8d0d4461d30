// Passkey retrieval: a number hidden in filler text, asked for at the end (Mohtashami and Jaggi, arXiv 2305.16300; the
// wording is that of llama.cpp's `passkey` example).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/scoring.h"
#include "eval/statistics.h"

namespace layerboost {

struct PasskeyItem {
  int length = 0;               // tokens of the prompt
  double depth = 0;             // where the key stands: 0 at the filler's start, 1 at its end
  std::vector<TokenId> prompt;  // exactly `length` tokens, ending in "The pass key is"
  std::vector<TokenId> answer;  // a space and the five digits
};

/// `count` items for each of `depths`, with five random digits each, at places spread 0.05 around the depth. Items of
/// one length have the same filler, so that what is before the first key is shared. The prompt begins with `bos` unless
/// that is -1. Throws Error when `length` is too short for the question and some filler.
std::vector<PasskeyItem> passkey_items(const Tokenizer& tokenizer, int length, std::span<const double> depths,
                                       int count, std::uint64_t seed, TokenId bos = -1);

/// Throws Error unless prompts of this length can be made and, with their answers, fit max_positions (0: any).
void check_passkey(const Tokenizer& tokenizer, int length, TokenId bos, int max_positions);

/// The grid that eval uses.
inline constexpr double passkey_depths[] = {0.1, 0.3, 0.5, 0.7, 0.9};
inline constexpr int passkey_count = 10;

struct PasskeyCell {
  double depth = 0;
  Estimate acc, log_prob;
};

struct PasskeyResult {
  int length = 0;
  Estimate acc;       // share of items whose digits greedy decoding gives exactly
  Estimate log_prob;  // of the answer, nats
  std::vector<PasskeyCell> depths;
};

/// The answers are scored with the right tokens given so far: greedy decoding gives exactly these tokens if and only if
/// each is the likeliest after the ones before.
PasskeyResult run_passkey(Subject& subject, int length, std::uint64_t seed, TokenId bos);

/// `items` have one length and come as passkey_items() orders them; `scores` are those of their answers.
PasskeyResult summarize_passkey(std::span<const PasskeyItem> items, std::span<const Score> scores);

}  // namespace layerboost
