#include "app/boost_plan.h"

#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/plan.h"
#include "base/error.h"
#include "base/log.h"

namespace layerboost {
namespace {

template <typename T>
void put(Json& json, const char* option, const std::optional<T>& value) {
  if (value) json[option] = *value;
}

template <typename T>
void put(Json& json, const char* option, const std::vector<T>& values) {
  if (!values.empty()) json[option] = fmt::format("{}", fmt::join(values, ","));
}

void put(Json& json, const char* option, const std::string& value) {
  if (!value.empty()) json[option] = value;
}

std::string in_words(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "with `kv` 0.5, not `kv` 0.3", "without `kv` 0.3": the first that differs.
std::string difference(const Json& made, const Json& wanted) {
  for (const auto& [option, value] : made.items()) {
    if (!wanted.contains(option)) return fmt::format("with `{}` {}, which isn't given now", option, in_words(value));
    if (wanted[option] != value)
      return fmt::format("with `{0}` {1}, not `{0}` {2}", option, in_words(value), in_words(wanted[option]));
  }
  for (const auto& [option, value] : wanted.items())
    if (!made.contains(option)) return fmt::format("without `{}` {}", option, in_words(value));
  return {};
}

}  // namespace

Json plan_options_json(const BoostOptions& options, const std::optional<std::string>& ready_made) {
  if (ready_made) return {{"ready-made", *ready_made}};
  const PlanOptions& plan = options.plan;
  const AnalyzeOptions& analyze = options.analyze;
  Json json = {{"search", plan.search},
               {"tokens", analyze.tokens},
               {"length", analyze.length},
               {"sinks", analyze.sinks},
               {"precision", name_of(options.compute.precision)},
               {"seed", options.compute.seed}};
  put(json, "softmax", plan.softmax);
  put(json, "none", plan.none);
  put(json, "kv", plan.kv);
  put(json, "speedup", plan.speedup);
  put(json, "keep", plan.keep);
  put(json, "thresholds", plan.thresholds);
  if (plan.by_removal) json["by-removal"] = true;
  put(json, "middle", plan.middle);
  put(json, "retrieval-weight", plan.retrieval_weight);
  if (plan.search == "joint") json["measurements"] = plan.measurements;
  put(json, "to", analyze.to);
  put(json, "by", analyze.by);
  put(json, "window", analyze.windows);
  if (analyze.heads) json["heads"] = true;
  if (analyze.by_gradients) json["by-gradients"] = true;
  put(json, "text", analyze.text);
  put(json, "tasks", analyze.tasks);
  return json;
}

bool keeps_plan(const fs::path& directory, const PlanRecord& made, const Json& wanted, bool asked) {
  const std::string file = (directory / boost_name::plan).string();
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return false;
  const std::string hash = read_plan(file).hash();
  if (made.options.empty()) {
    if (asked)
      fail("{} wasn't made by this command: leave out what asks for another plan, give another `output`, or remove it",
           file);
    note("{} is there, and kept", file);
    return true;
  }
  if (made.options.contains("ready-made") && wanted.contains("ready-made")) {
    if (made.options != wanted)
      note("{} is the plan that came ready-made with another version, and is kept; remove it to have today's", file);
  } else if (made.options != wanted) {
    const std::string advice =
        fmt::format("give the same options, another `output`, or remove it{} to have another made",
                    is_healed_directory(directory) ? ", heal.json and checkpoint" : "");
    if (made.options.contains("ready-made")) fail("{} is the plan that comes ready-made: {}", file, advice);
    if (wanted.contains("ready-made"))
      fail("{} isn't the plan that comes ready-made, which this command asks for: {}", file, advice);
    fail("{} was made {}: {}", file, difference(made.options, wanted), advice);
  }
  if (!made.hash.empty() && hash != made.hash) note("{} was changed by hand, and is kept as it is", file);
  return true;
}

}  // namespace layerboost
