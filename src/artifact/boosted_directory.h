// A directory that `layerboost boost` wrote: boost.json names the model, the other files hold what was made of it.
#pragma once

#include <string>

#include "artifact/plan.h"
#include "base/file.h"
#include "base/json.h"

namespace layerboost {

/// What boost made plan.json of.
struct PlanRecord {
  std::string hash;               // Plan::hash(); empty: it is being made, or boost made none
  Json options = Json::object();  // plan_options_json(); empty: boost made none
};

struct BoostDirectory {
  std::string model_name;  // for people
  fs::path model_path;     // absolute
  std::string model_hash;  // Checkpoint::hash()
  int positions = 0;       // the model's; 0: unknown
  PlanRecord plan;
  double seconds = 0;  // of all runs of boost in this directory, unfinished ones as far as they were recorded
  int runs = 0;        // that many
};

inline constexpr const char* boost_format = "layerboost-boost";  // boost.json's "format"

/// The names of the files in such a directory. Where the plan was healed, those of a healed directory are there, too.
namespace boost_name {
inline constexpr const char *record = "boost.json", *analysis = "analysis.json", *plan = plan_file_name,
                            *curve = "curve.json", *healing_budget = "heal-budget.json", *page = "report.html";
inline constexpr const char *quality_of_base = "quality.base.json", *quality_of_plan = "quality.plan.json",
                            *quality_of_healed = "quality.healed.json";
inline constexpr const char *speed_of_base = "speed.base.json", *speed_of_plan = "speed.plan.json";
}  // namespace boost_name

/// Whether `path` is a directory with a boost.json.
bool is_boost_directory(const fs::path& path);

/// Throws Error when boost.json isn't what boost writes.
BoostDirectory read_boost_directory(const fs::path& path);

/// Writes boost.json with the run object `run`, whose seconds become those of all runs.
void write_boost_directory(const fs::path& path, const BoostDirectory& directory, Json run);

}  // namespace layerboost
