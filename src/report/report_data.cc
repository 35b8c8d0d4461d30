#include "report/report_data.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace layerboost {
namespace {

/// Throws Error unless `json` is of version 1 of `format`.
void check_format(const Json& json, std::string_view format, const fs::path& path) {
  const std::string where = path.string();
  const auto found = get<std::string>(json, "format", where);
  if (found != format) fail("{}: format is \"{}\", expected \"{}\"", where, found, format);
  const int version = get<int>(json, "version", where);
  if (version != 1) fail("{}: version {} of {}; this program reads version 1", where, version, format);
}

/// Throws Error when a file names a model, and another one than boost.json does.
void check_model(const std::string& found, const std::string& expected, const fs::path& path) {
  if (found.empty() || expected.empty() || found == expected) return;
  fail("{}: made from model {}, but boost.json is of model {}; run layerboost boost again", path.string(), found,
       expected);
}

std::string model_hash(const Json& json, const fs::path& path) {
  const auto model = get<Json>(json, "model", path.string());
  return get_or<std::string>(model, "hash", "", path.string());
}

/// The hash under "run" of an eval's or a bench's result; empty when there is none.
std::string run_hash(const Json& result, const char* key, const fs::path& path) {
  const auto run = get_or<Json>(result, "run", Json::object(), path.string());
  return get_or<std::string>(run, key, "", path.string());
}

/// "plan" of quality.plan.json; empty when the name isn't of the form PREFIX.NAME.json.
std::string state_of(const std::string& file, const std::string& prefix) {
  const std::string suffix = ".json";
  if (file.size() <= prefix.size() + 1 + suffix.size() || !file.starts_with(prefix + ".") || !file.ends_with(suffix))
    return "";
  return file.substr(prefix.size() + 1, file.size() - prefix.size() - 1 - suffix.size());
}

/// The results PREFIX.*.json: base, plan, then the others by name.
Json read_states(const fs::path& dir, const std::string& prefix, const std::string& model) {
  std::vector<std::pair<int, std::string>> states;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string state = state_of(entry.path().filename().string(), prefix);
    if (!state.empty()) states.emplace_back(state == "base" ? 0 : state == "plan" ? 1 : 2, state);
  }
  std::sort(states.begin(), states.end());
  Json list = Json::array();
  for (const auto& [rank, state] : states) {
    const fs::path path = dir / (prefix + "." + state + ".json");
    Json result = read_json(path);
    if (!result.is_object()) fail("{}: expected a JSON object", path.string());
    check_model(run_hash(result, "model", path), model, path);
    list.push_back({{"name", state}, {"result", std::move(result)}});
  }
  return list;
}

/// Throws Error when the qualities and speeds of the state "plan" were measured with two different plans.
void check_same_plan(const fs::path& dir) {
  const fs::path quality = dir / "quality.plan.json";
  const fs::path speed = dir / "speed.plan.json";
  if (!fs::exists(quality) || !fs::exists(speed)) return;
  const std::string of_quality = run_hash(read_json(quality), "plan", quality);
  const std::string of_speed = run_hash(read_json(speed), "plan", speed);
  if (of_quality.empty() || of_speed.empty() || of_quality == of_speed) return;
  fail("{}: measured with plan {}, but quality.plan.json with plan {}; run layerboost boost again", speed.string(),
       of_speed, of_quality);
}

}  // namespace

Json collect_report(const fs::path& dir) {
  std::error_code ignored;
  if (!fs::is_directory(dir, ignored))
    fail("{}: no such directory; give one that layerboost boost wrote", dir.string());
  const fs::path boost = dir / "boost.json";
  if (!fs::exists(boost)) fail("{}: no boost.json in it; give a directory that layerboost boost wrote", dir.string());

  Json data = {{"format", "layerboost-report"}, {"version", 1}, {"written_by", LAYERBOOST_VERSION}};
  data["boost"] = read_json(boost);
  check_format(data["boost"], "layerboost-boost", boost);
  const std::string model = model_hash(data["boost"], boost);
  for (const std::string part : {"analysis", "plan"}) {
    const fs::path path = dir / (part + ".json");
    if (!fs::exists(path)) continue;
    data[part] = read_json(path);
    check_format(data[part], "layerboost-" + part, path);
    check_model(model_hash(data[part], path), model, path);
  }
  if (const fs::path path = dir / "curve.json"; fs::exists(path)) {
    data["curve"] = read_json(path);
    get<Json::array_t>(data["curve"], "points", path.string());
  }
  check_same_plan(dir);
  data["quality"] = read_states(dir, "quality", model);
  data["speed"] = read_states(dir, "speed", model);
  return data;
}

}  // namespace layerboost
