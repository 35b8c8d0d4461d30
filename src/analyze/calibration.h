// What a sensitivity sweep reads: sequences of text, whose every token is predicted, and questions about facts far
// back, of which only the answers' tokens are.
#pragma once

#include <string>
#include <vector>

#include "model/model.h"

namespace layerboost {

/// One sequence. Row r predicts token r + 1; rows first_target .. tokens.size() - 2 are scored.
struct CalibrationSequence {
  std::vector<TokenId> tokens;
  int first_target = 0;
  bool retrieval = false;

  [[nodiscard]] int targets() const { return static_cast<int>(tokens.size()) - 1 - first_target; }
};

struct Calibration {
  std::vector<CalibrationSequence> sequences;  // those of text, then questions
  std::string source;                          // where the text is from, for people
  std::string hash;                            // "sha256:..." of all tokens
  int texts = 0;                               // how many sequences are of text
  int length = 0;                              // of each of these
  int retrieval_items = 0;                     // 0: none
  int retrieval_length = 0;                    // of each question with its filler, at most
};

/// Questions have so many tokens fewer than a sequence of text, so that their answers fit behind them.
inline constexpr int retrieval_room = 24;

struct CalibrationOptions {
  std::string text;         // a file; empty: text that the model itself writes
  int tokens = 16 * 1024;   // of text, rounded up to whole sequences
  int length = 1024;        // of a sequence, cut to the model's positions
  int retrieval_items = 0;  // questions of `length` tokens, in wordings that choose (eval/retrieval_wordings.h)
  std::uint64_t seed = 0;
};

/// Reads the sequences of text, or has the model write them, and makes the questions: each wording in turn, plain and
/// as a chat, at all depths, hidden in repeated sentences and in those sequences. Throws Error when the file has less
/// than one sequence of text, or sequences are too short for any question.
Calibration make_calibration(const Model& model, const CalibrationOptions& options);

}  // namespace layerboost
