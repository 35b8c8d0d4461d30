#include "report/healing_data.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace layerboost {
namespace {

constexpr std::size_t most_points = 300;

/// The lines of log.jsonl; a last one that a sudden end cut short is left out.
std::vector<Json> read_log(const fs::path& path) {
  std::vector<Json> lines;
  if (!fs::exists(path)) return lines;
  const std::string content = read_file(path);
  std::string_view rest = content;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    lines.push_back(parse_json(rest.substr(0, end), fmt::format("{}, line {}", path.string(), number)));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

Json curve_of(const std::vector<Json>& steps, const std::string& where) {
  Json curve = Json::array();
  const std::size_t stretches = std::min(most_points, steps.size());
  for (std::size_t i = 0; i < stretches; ++i) {
    const std::size_t first = i * steps.size() / stretches, end = (i + 1) * steps.size() / stretches;
    double sum = 0;
    for (std::size_t s = first; s < end; ++s) sum += get_or<double>(steps[s], "kl", 0, where);
    curve.push_back({get<std::int64_t>(steps[end - 1], "tokens", where), sum / static_cast<double>(end - first)});
  }
  return curve;
}

}  // namespace

Json collect_healing(const fs::path& dir, const std::string& plan_hash) {
  const fs::path path = dir / "heal.json", log = dir / "log.jsonl";
  if (!fs::exists(path)) return {};
  const Json record = read_json(path);
  if (get<std::string>(record, "format", path.string()) != "layerboost-heal")
    fail("{}: not a heal.json", path.string());
  if (get<std::string>(record, "plan", path.string()) != plan_hash) return {};
  Json healing = Json::object();
  for (const char* key : {"adapter", "options", "figures", "run"})
    if (record.contains(key)) healing[key] = record[key];

  std::vector<Json> steps;
  std::vector<Json> measured;
  for (Json& line : read_log(log)) (line.contains("valid") ? measured : steps).push_back(std::move(line));
  const std::string where = log.string();
  const double tokens_per_step = steps.empty() ? 0
                                               : get<double>(steps.back(), "tokens", where) /
                                                     std::max(1.0, get<double>(steps.back(), "step", where));
  healing["curve"] = curve_of(steps, where);
  healing["measured"] = Json::array();
  for (const Json& line : measured) {
    Json point = {{"tokens", get<double>(line, "step", where) * tokens_per_step}};
    point.update(get<Json>(line, "valid", where));
    healing["measured"].push_back(point);
  }
  return healing;
}

}  // namespace layerboost
