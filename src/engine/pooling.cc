#include "engine/pooling.h"

#include <algorithm>
#include <cmath>

#include "engine/scheduler.h"
#include "engine/step_runner.h"

namespace layerboost {

void StateSum::add(const float* state) {
  for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += static_cast<double>(state[i]);
  ++tokens_;
}

std::vector<float> StateSum::embedding() const {
  double squares = 0;  // the mean and the sum differ in length only
  for (const double value : sum_) squares += value * value;
  if (!std::isfinite(squares)) return {};
  std::vector<float> embedding;
  embedding.reserve(sum_.size());
  for (const double value : sum_)
    embedding.push_back(squares > 0 ? static_cast<float>(value / std::sqrt(squares)) : 0.0F);
  return embedding;
}

void add_states(StepRunner& runner, const float* hidden, const std::vector<StepItem>& items) {
  std::vector<int> rows;
  std::vector<StateSum*> sums;  // [rows]
  int row = 0;
  for (const StepItem& item : items) {
    Job& job = *item.job;
    if (job.states) {
      const int first = job.sequence->length() - item.count;
      // What is read again after a pre-emption is there already.
      for (int i = std::max(0, job.states->tokens() - first); i < item.count; ++i) {
        rows.push_back(row + i);
        sums.push_back(&*job.states);
      }
    }
    row += item.count;
  }
  if (rows.empty()) return;
  const std::size_t size = sums.front()->size();
  auto sum = sums.begin();
  runner.final_states(hidden, rows, [&](int count, const float* states) {
    for (int i = 0; i < count; ++i, states += size) (*sum++)->add(states);
  });
}

}  // namespace layerboost
