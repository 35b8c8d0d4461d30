#include "report/assets.h"

#include "base/error.h"

namespace layerboost {

std::string_view asset(std::string_view name) {
  const Asset* found = nullptr;
  for (const Asset& candidate : embedded_assets()) {
    if (candidate.name == name) found = &candidate;
  }
  LB_CHECK(found != nullptr);
  return found->bytes;
}

}  // namespace layerboost
