#include "layerboost/version.h"

#include "layerboost/layerboost.h"

namespace layerboost {

const char* version() noexcept { return LAYERBOOST_VERSION; }

}  // namespace layerboost
