#include "model/step_context.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace layerboost {

void StepContext::begin(std::vector<int> sources, int rows, int width) {
  sources_ = std::move(sources);
  for (const int source : sources_)
    queries_[source].reserve_as<float>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width));
}

float* StepContext::kept(int layer) {
  return is_source(layer) ? reinterpret_cast<float*>(queries_.at(layer).data()) : nullptr;
}

const float* StepContext::queries(int source) const {
  LB_CHECK(is_source(source));
  return reinterpret_cast<const float*>(queries_.at(source).data());
}

bool StepContext::is_source(int layer) const { return std::ranges::find(sources_, layer) != sources_.end(); }

std::size_t StepContext::bytes() const {
  std::size_t total = 0;
  for (const auto& [layer, buffer] : queries_) total += buffer.capacity();
  return total;
}

}  // namespace layerboost
