// The embedding of a text: the mean of its last hidden states, added up as the text is read.
#pragma once

#include <cstddef>
#include <vector>

namespace layerboost {

class StepRunner;
struct StepItem;

/// The states of a text's tokens, from the first one on, in double: neither how the text is cut into steps nor that it
/// is read again changes what is added to what.
class StateSum {
 public:
  /// Of states [D].
  explicit StateSum(int size) : sum_(static_cast<std::size_t>(size)) {}

  /// D.
  [[nodiscard]] std::size_t size() const { return sum_.size(); }
  /// Tokens whose states have been added.
  [[nodiscard]] int tokens() const { return tokens_; }
  /// Adds the state [D] of the next token, after the final norm.
  void add(const float* state);

  /// The mean of the states, divided by its length: [D]. Zeros where it has none; empty where it isn't of numbers.
  [[nodiscard]] std::vector<float> embedding() const;

 private:
  std::vector<double> sum_;
  int tokens_ = 0;
};

/// Adds the states of the rows that a step has run, hidden [N, D], for those of its jobs whose embedding is asked for.
void add_states(StepRunner& runner, const float* hidden, const std::vector<StepItem>& items);

}  // namespace layerboost
