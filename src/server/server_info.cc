#include "server/server_info.h"

#include "base/file.h"

namespace layerboost {

const std::string& ServerInfo::plan_of(int level) const {
  return levels.is_ladder() ? levels.levels[static_cast<std::size_t>(level)].plan : plan;
}

std::string ServerInfo::fingerprint(int level) const {
  return "fp_" + sha256(model_hash + " " + plan_of(level) + " " + precision + " " + kv).substr(0, 16);
}

}  // namespace layerboost
