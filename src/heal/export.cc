#include "heal/export.h"

#include "base/error.h"
#include "base/json.h"

namespace layerboost {

bool is_exported_directory(const fs::path& path) {
  std::error_code ignored;
  const fs::path config = path / "config.json";
  if (!fs::is_regular_file(config, ignored)) return false;
  return get_or<std::string>(read_json(config), "model_type", "", config.string()) == "layerboost";
}

}  // namespace layerboost
