#include "app/boost_healing.h"

#include <algorithm>

#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/model_files.h"
#include "base/error.h"
#include "base/log.h"

namespace layerboost {
namespace {

/// Tokens for so many minutes, from the time that a first step takes; decided once for a directory, so that the run can
/// go on.
std::int64_t tokens_in(double minutes, const Model& model, const HealPlan& plan, HealOptions options,
                       const fs::path& directory, const RunInfo& run) {
  const fs::path file = directory / boost_name::healing_budget;
  const std::string plan_hash = plan.plan.hash();
  if (fs::exists(file)) {
    const Json known = read_json(file);
    if (get<double>(known, "minutes", file.string()) == minutes &&
        get<std::string>(known, "plan", file.string()) == plan_hash)
      return get<std::int64_t>(known, "tokens", file.string());
  }
  constexpr double share = 0.9;  // the rest goes into measurements
  const fs::path trial = directory / "heal-trial";
  fs::remove_all(trial);
  options.tokens = 1;
  options.held_out = 1;
  options.questions = 0;
  const HealResult result = heal(model, plan, options, trial, run);
  fs::remove_all(trial);
  const double speed = static_cast<double>(result.tokens) / std::max(result.seconds, 1e-3);
  const auto tokens = static_cast<std::int64_t>(share * 60 * minutes * speed);
  note("{:.0f} tokens a second: {:.2f} M tokens in {:g} minutes", speed, static_cast<double>(tokens) / 1e6, minutes);
  write_json(file, {{"minutes", minutes}, {"plan", plan_hash}, {"tokens", tokens}});
  return tokens;
}

bool healed_already(const fs::path& directory, const HealOptions& options) {
  if (!is_intact(directory)) return false;
  const HealedDirectory healed = read_healed_directory(directory);
  const std::string where = healed_file(directory).string();
  const auto all_steps = get_or<std::int64_t>(healed.figures, "all_steps", options.steps(), where);
  return healed.options == options.to_json() && get_or<std::int64_t>(healed.figures, "steps", 0, where) == all_steps;
}

}  // namespace

std::optional<fs::path> find_ready_made(const fs::path& models, const std::string& model_hash) {
  std::error_code ignored;
  if (!fs::is_directory(models, ignored)) return {};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(models))
    if (is_healed_directory(entry.path()) && read_healed_directory(entry.path()).model_hash == model_hash)
      found.push_back(entry.path());
  if (found.empty()) return {};
  return *std::min_element(found.begin(), found.end());
}

void copy_healed(const fs::path& from, const fs::path& directory, const std::shared_ptr<const Checkpoint>& base) {
  HealedDirectory healed = read_healed_directory(from);
  healed.model_path = fs::absolute(base->path());
  const PlannedFiles planned = read_planned_files(healed_model_files(from, base));
  const auto copy = [&](const fs::path& file) { write_file(directory / file.filename(), read_file(file)); };
  copy(healed_plan(from));
  if (planned.plan.maps) copy(from / planned.plan.maps->file);
  copy(healed_adapter(from));
  if (fs::exists(healed_log(from))) copy(healed_log(from));
  const Json run = get_or<Json>(read_json(healed_file(from)), "run", Json(), healed_file(from).string());
  write_healed_directory(directory, healed, run);
}

void check_healing(const fs::path& directory, const std::string& plan_hash) {
  if (!is_healed_directory(directory) || read_healed_directory(directory).plan_hash == plan_hash) return;
  fail("{}: was healed with another plan: give another `output`, or remove {} and {} to heal anew", directory.string(),
       healed_file(directory).string(), (directory / "checkpoint").string());
}

void heal_boosted(const Model& model, const fs::path& directory, const HealBudget& budget, HealOptions options,
                  const RunInfo& run) {
  const fs::path path = healed_plan(directory);
  const HealPlan plan{read_plan(path, model.config, model.hash), path};
  check_healing(directory, plan.plan.hash());
  options.tokens = budget.minutes > 0 ? tokens_in(budget.minutes, model, plan, options, directory, run) : budget.tokens;
  if (healed_already(directory, options)) return;
  const HealResult result = heal(model, plan, options, directory, run);
  note("held-out text: kl {:.4f} -> {:.4f}, perplexity {:.3f} -> {:.3f} (unchanged {:.3f})", result.before.kl,
       result.after.kl, result.before.perplexity, result.after.perplexity, result.after.teacher_perplexity);
}

}  // namespace layerboost
