#include "report/report_data.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "artifact/analysis_file.h"
#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/ladder.h"
#include "artifact/plan.h"
#include "base/error.h"
#include "layerboost/version.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

/// boost.json. Throws Error when it isn't one.
Json read_boost(const fs::path& path) {
  Json json = read_json(path);
  const std::string where = path.string();
  check_format(json, boost_format, 1, where);
  return json;
}

/// Throws Error when a file names a model, and another one than that of the file `whose`.
void check_model(const std::string& found, const std::string& expected, const fs::path& path,
                 const std::string& whose = "boost.json") {
  if (found.empty() || expected.empty() || found == expected) return;
  fail("{}: made from model {}, but {} is of model {}; run layerboost {} again", path.string(), found, whose, expected,
       whose == "boost.json" ? "boost" : "ladder");
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

/// Removes every "differences" below `json`.
void drop_differences(Json& json) {
  if (json.is_object()) json.erase("differences");
  for (Json& part : json) {
    if (part.is_structured()) drop_differences(part);
  }
}

/// Returns the model's shape, as far as the analysis has it; nothing where there is no analysis.
std::optional<Config> add_analysis(Json& data, const fs::path& path, const std::string& model,
                                   const std::string& whose) {
  if (!fs::exists(path)) return {};
  const AnalysisModel analysed = read_analysis(path).model;
  check_model(analysed.hash, model, path, whose);
  data["analysis"] = read_json(path);
  drop_differences(data["analysis"]);
  return analysed.config;
}

/// What a layer keeps of a text beside keys and values: {"from", "bytes"}, so many bytes from so many tokens on; null
/// where it keeps nothing else.
Json kept_beside_tokens(const Config& config, const MixerSpec& spec) {
  const auto bytes = descriptor_of(spec.kind).cost.state_bytes;
  int before = 0, from = 3 * largest_spec_number;  // more than the widest window
  if (bytes(config, spec, from) == 0) return {};
  while (from - before > 1) {
    const int middle = before + (from - before) / 2;
    (bytes(config, spec, middle) == 0 ? before : from) = middle;
  }
  return {{"from", from}, {"bytes", bytes(config, spec, from)}};
}

void add_plan(Json& data, const fs::path& path, const std::string& model, const std::optional<Config>& config) {
  if (!fs::exists(path)) return;
  const Plan plan = read_plan(path);
  check_model(plan.model_hash, model, path);
  data["plan"] = read_json(path);
  data["plan_hash"] = plan.hash();
  if (!config) return;
  data["beside_tokens"] = Json::array();
  for (const MixerSpec& spec : plan.specs()) data["beside_tokens"].push_back(kept_beside_tokens(*config, spec));
}

void add_curve(Json& data, const fs::path& path) {
  if (!fs::exists(path)) return;
  data["curve"] = read_json(path);
  get<Json::array_t>(data["curve"], "points", path.string());
}

/// Throws Error when the state "plan" was measured with another plan than plan.json, edited since perhaps.
void check_plan(const Json& data, const fs::path& dir) {
  if (!data.contains("plan_hash")) return;
  const auto expected = data["plan_hash"].get<std::string>();
  for (const std::string part : {"quality", "speed"}) {
    for (const Json& state : data[part]) {
      if (state["name"].get_ref<const std::string&>() != "plan") continue;
      const fs::path path = dir / (part + ".plan.json");
      const std::string found = run_hash(state["result"], "plan", path);
      if (!found.empty() && found != expected)
        fail("{}: measured with plan {}, but plan.json is {}; run layerboost boost again", path.string(), found,
             expected);
    }
  }
}

// ---- the ladder

/// ladder.json with its mixers as they are written everywhere, and without figures of levels that have changed since.
Json read_ladder_data(const fs::path& path) {
  const Ladder ladder = read_ladder(path);
  Json json = read_json(path);
  json["context"] = ladder.context;
  Json mixers = Json::array(), rungs = Json::array(), quality = Json::array();
  for (const MixerSpec& spec : ladder.level_0) mixers.push_back(to_string(spec));
  json["level_0"]["mixers"] = std::move(mixers);
  for (const Rung& rung : ladder.rungs) rungs.push_back({{"layer", rung.layer}, {"mixer", to_string(rung.mixer)}});
  json["rungs"] = std::move(rungs);
  for (Json& figures : get_or<Json>(json, "quality", Json::array(), path.string())) {
    const auto level = get<std::int64_t>(figures, "level", path.string());
    if (level < 0 || level > ladder.top()) continue;
    const std::optional<LevelQuality>& valid = ladder.quality[static_cast<std::size_t>(level)];
    if (!valid || valid->mixers != figures["mixers"]) continue;
    figures["level"] = level;
    quality.push_back(std::move(figures));
  }
  json["quality"] = std::move(quality);
  return json;
}

/// Throws Error when there is no ladder in `dir`, or it is of another model than boost.json.
void add_ladder(Json& data, const fs::path& dir, const std::string& model) {
  if (!is_ladder_directory(dir)) fail("{}: no ladder.json in it; give one that layerboost ladder wrote", dir.string());
  const fs::path path = ladder_file(dir);
  data["ladder"] = read_ladder_data(path);
  const std::string found = model_hash(data["ladder"], path);
  if (!model.empty() && found != model)
    fail("{}: of model {}, but boost.json is of model {}; a page shows one model", path.string(), found, model);
}

// ---- healing

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

/// From heal.json and log.jsonl in `dir`:
///   {"adapter", "options", "figures", "run", "curve": [[TOKENS, KL]], "measured": [{"tokens", "kl", "perplexity",
///   ...}]}
/// The curve is the mean loss of at most 300 stretches of the run. null where there is no healing, or it is of another
/// plan than `plan_hash`. Throws Error for files that heal didn't write.
Json collect_healing(const fs::path& dir, const std::string& plan_hash) {
  const fs::path path = healed_file(dir), log = healed_log(dir);
  if (!fs::exists(path)) return {};
  const Json record = read_json(path);
  if (get<std::string>(record, "format", path.string()) != heal_format) fail("{}: not a heal.json", path.string());
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

}  // namespace

Json collect_report(const fs::path& dir, const fs::path& ladder) {
  std::error_code ignored;
  if (!fs::is_directory(dir, ignored))
    fail("{}: no such directory; give one that layerboost boost or ladder wrote", dir.string());
  const fs::path boost = dir / boost_name::record;
  const bool boosted = fs::exists(boost), has_ladder = is_ladder_directory(dir);
  if (!boosted && !has_ladder)
    fail("{}: no boost.json or ladder.json in it; give a directory that layerboost boost or ladder wrote",
         dir.string());
  if (!boosted && !ladder.empty())
    fail("{}: a ladder itself, so {} can't be shown with it; give a directory that layerboost boost wrote",
         dir.string(), ladder.string());

  Json data = {{"format", "layerboost-report"}, {"version", 1}, {"written_by", LAYERBOOST_VERSION}};
  data["quality"] = data["speed"] = Json::array();
  if (!boosted) {
    add_ladder(data, dir, "");
    add_analysis(data, dir / boost_name::analysis, model_hash(data["ladder"], ladder_file(dir)), "ladder.json");
    return data;
  }
  data["boost"] = read_boost(boost);
  const std::string model = model_hash(data["boost"], boost);
  if (!ladder.empty() || has_ladder) add_ladder(data, ladder.empty() ? dir : ladder, model);
  const std::optional<Config> config = add_analysis(data, dir / boost_name::analysis, model, "boost.json");
  add_plan(data, dir / boost_name::plan, model, config);
  add_curve(data, dir / boost_name::curve);
  if (Json healing = collect_healing(dir, get_or<std::string>(data, "plan_hash", "", "plan")); !healing.is_null())
    data["healing"] = std::move(healing);
  data["quality"] = read_states(dir, "quality", model);
  data["speed"] = read_states(dir, "speed", model);
  check_plan(data, dir);
  return data;
}

}  // namespace layerboost
