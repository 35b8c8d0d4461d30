#include "artifact/healed_directory.h"

#include "artifact/adapter.h"
#include "artifact/plan.h"
#include "base/error.h"

namespace layerboost {
namespace {

constexpr int heal_version = 1;

}  // namespace

bool is_healed_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(healed_file(path), ignored);
}

bool is_intact(const fs::path& path) {
  try {
    const HealedDirectory healed = read_healed_directory(path);
    const Plan plan = read_plan(healed_plan(path));
    if (plan.hash() != healed.plan_hash || file_hash(healed_adapter(path)) != healed.adapter_hash) return false;
    return !plan.maps || file_hash(path / plan.maps->file) == plan.maps->hash;
  } catch (const Error&) {  // a file is missing, or not what it should be
    return false;
  }
}

HealedDirectory read_healed_directory(const fs::path& path) {
  const std::string where = healed_file(path).string();
  const Json json = read_json(healed_file(path));
  check_format(json, heal_format, heal_version, where);
  const Json model = get<Json>(json, "model", where);
  HealedDirectory directory;
  directory.model_name = get<std::string>(model, "name", where);
  directory.model_path = get<std::string>(model, "path", where);
  directory.model_hash = get<std::string>(model, "hash", where);
  directory.plan_hash = get<std::string>(json, "plan", where);
  directory.adapter_hash = get<std::string>(json, "adapter", where);
  directory.options = get_or<Json>(json, "options", Json::object(), where);
  directory.figures = get_or<Json>(json, "figures", Json::object(), where);
  return directory;
}

void write_healed_directory(const fs::path& path, const HealedDirectory& directory, const Json& run) {
  write_json(
      healed_file(path),
      {{"format", heal_format},
       {"version", heal_version},
       {"model",
        {{"name", directory.model_name}, {"path", directory.model_path.string()}, {"hash", directory.model_hash}}},
       {"plan", directory.plan_hash},
       {"adapter", directory.adapter_hash},
       {"options", directory.options},
       {"figures", directory.figures},
       {"run", run}});
}

}  // namespace layerboost
