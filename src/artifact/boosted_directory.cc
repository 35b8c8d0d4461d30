#include "artifact/boosted_directory.h"

#include <cmath>

#include "base/error.h"

namespace layerboost {
namespace {

fs::path file_in(const fs::path& directory) { return directory / boost_name::record; }

/// Earlier versions wrote options as the command line's flags: "--kv".
Json by_name(const Json& options) {
  Json named = Json::object();
  for (const auto& [key, value] : options.items()) named[key.starts_with("--") ? key.substr(2) : key] = value;
  return named;
}

}  // namespace

bool is_boost_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(file_in(path), ignored);
}

BoostDirectory read_boost_directory(const fs::path& path) {
  const std::string where = file_in(path).string();
  const Json json = read_json(file_in(path));
  check_format(json, boost_format, 1, where);
  const Json model = get<Json>(json, "model", where), run = get_or<Json>(json, "run", Json::object(), where),
             plan = get_or<Json>(json, "plan", Json::object(), where);
  return {get<std::string>(model, "name", where),
          get<std::string>(model, "path", where),
          get<std::string>(model, "hash", where),
          get_or<int>(model, "positions", 0, where),
          {get_or<std::string>(plan, "hash", "", where), by_name(get_or<Json>(plan, "options", Json::object(), where))},
          get_or<double>(run, "seconds", 0, where),
          get_or<int>(json, "runs", 1, where)};
}

void write_boost_directory(const fs::path& path, const BoostDirectory& directory, Json run) {
  run["seconds"] = std::round(directory.seconds * 1000) / 1000;
  Json json = {{"format", boost_format},
               {"version", 1},
               {"model",
                {{"name", directory.model_name},
                 {"path", directory.model_path.string()},
                 {"hash", directory.model_hash},
                 {"positions", directory.positions}}},
               {"runs", directory.runs},
               {"run", run}};
  if (!directory.plan.options.empty())
    json["plan"] = {{"hash", directory.plan.hash}, {"options", directory.plan.options}};
  write_json(file_in(path), json);
}

}  // namespace layerboost
