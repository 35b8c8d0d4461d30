#include "server/server_info.h"

#include "base/file.h"

namespace layerboost {

std::string ServerInfo::fingerprint() const {
  return "fp_" + sha256(model_hash + " " + plan + " " + precision + " " + kv).substr(0, 16);
}

}  // namespace layerboost
