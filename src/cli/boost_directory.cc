#include "cli/boost_directory.h"

namespace layerboost {
namespace {

constexpr const char* format_name = "layerboost-boost";

fs::path file_in(const fs::path& directory) { return directory / "boost.json"; }

}  // namespace

bool is_boost_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(file_in(path), ignored);
}

BoostDirectory read_boost_directory(const fs::path& path) {
  const std::string where = file_in(path).string();
  const Json json = read_json(file_in(path));
  check_format(json, format_name, 1, where);
  const Json model = get<Json>(json, "model", where);
  return {get<std::string>(model, "name", where), get<std::string>(model, "path", where),
          get<std::string>(model, "hash", where)};
}

void write_boost_directory(const fs::path& path, const BoostDirectory& directory, const Json& run) {
  write_json(
      file_in(path),
      {{"format", format_name},
       {"version", 1},
       {"model",
        {{"name", directory.model_name}, {"path", directory.model_path.string()}, {"hash", directory.model_hash}}},
       {"run", run}});
}

}  // namespace layerboost
