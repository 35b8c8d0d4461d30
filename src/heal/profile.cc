#include "heal/profile.h"

#include <array>

namespace layerboost {

const char* name_of(Phase phase) {
  constexpr std::array<const char*, Profile::phases> names = {
      "layers below", "teacher", "forward products", "backward products", "head products",
      "head rows",    "LoRA",    "mixers forward",   "mixers backward",   "rows",
      "optimizer"};
  return names[static_cast<std::size_t>(phase)];
}

}  // namespace layerboost
