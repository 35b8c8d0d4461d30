#include "model/step_times.h"

namespace layerboost {

const char* name_of(StepPhase phase) {
  constexpr std::array<const char*, StepTimes::phases> names = {
      "schedule", "mixer products", "mixers", "MLP products", "rows", "head", "sampling", "output"};
  return names[static_cast<std::size_t>(phase)];
}

}  // namespace layerboost
