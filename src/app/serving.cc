#include "app/serving.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <system_error>
#include <utility>

#include "artifact/model_files.h"
#include "artifact/opened_ladder.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/gguf_parts.h"
#include "server/server.h"

namespace layerboost {

std::string served_name(const std::string& model) {
  fs::path path = model;
  if (!path.has_filename()) path = path.parent_path();
  std::error_code missing;
  if (path.filename() == "." || path.filename() == "..") path = fs::canonical(path, missing);
  return path.extension() == ".gguf" ? gguf_model_name(path) : path.filename().string();
}

int serving_threads(int asked) {
  constexpr int many = 8;
  const int threads = default_threads();
  return asked == 0 && threads >= many ? threads - 1 : asked;
}

void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Served open_served(const std::string& model, const std::string& plan, LevelMode mode, const ComputeOptions& compute) {
  const bool needs_ladder = mode != LevelMode::off;
  if (needs_ladder && !plan.empty())
    fail("`plan`: a ladder has its own; leave out `levels`, or make a ladder of this plan");
  const ModelFiles files = needs_ladder ? find_ladder_files(model) : find_model_files(model, plan);
  Served served;
  if (files.ladder != nullptr) {
    OpenedLadder ladder = open_ladder(files, compute.precision, compute.kv);
    served.plans = ladder.levels();
    for (int level = 0; level <= ladder.ladder.top(); ++level) served.hashes.push_back(ladder.plan_hash(level));
    served.ladder = std::move(ladder.ladder);
    served.opened = std::move(ladder.opened);
  } else {
    served.opened = open_model(files, compute.precision, compute.kv);
    served.plans = {&served.opened.list()};
    served.hashes = {served.opened.plan_hash};
  }
  served.opened.model->close_files();
  return served;
}

ServedLevels limit_levels(Served& served, const LevelOptions& wanted, const std::optional<QualityLimits>& asked) {
  LB_CHECK(served.ladder);
  ServedLevels levels;
  levels.limits = asked ? *asked : usual_limits(*served.ladder);
  levels.options = with_ladder(wanted, *served.ladder, levels.limits);
  const LevelOptions& options = levels.options;
  if (asked && options.mode == LevelMode::fixed && options.level > options.cap)
    fail("`levels` fixed:{}: only levels 0 to {} keep the limit of quality ({})", options.level, options.cap,
         to_string(levels.limits));
  // What loses more than the limit can't be asked for either.
  levels.limited = follows_load(options) || asked;
  if (levels.limited) served.plans.resize(static_cast<std::size_t>(options.cap) + 1);
  return levels;
}

std::string measured_otherwise(const Served& served, const ComputeOptions& compute) {
  LB_CHECK(served.ladder);
  const auto measured = get_or<std::string>(served.ladder->measured_on, "precision", "", "measured_on");
  const std::string own =
      fmt::format("{}{}", name_of(compute.precision), compute.kv == KvType::int8 ? " with caches in int8" : "");
  if (measured.empty() || measured == own) return {};
  return fmt::format("what levels lose was measured in {}, and they are served in {}", measured, own);
}

LevelTable level_table(const Served& served, const LevelOptions& options) {
  LB_CHECK(served.ladder);
  const Ladder& ladder = *served.ladder;
  LevelTable table{{}, options};
  for (std::size_t level = 0; level < served.plans.size(); ++level) {
    LevelFacts& facts = table.levels.emplace_back();
    facts.plan = served.hashes[level];
    facts.mixers = mixers_in_words(*served.plans[level]);
    if (level > 0) facts.rung = to_string(ladder.rungs[level - 1]);
    const std::optional<LevelQuality>& quality = ladder.quality[level];
    if (!quality) continue;
    facts.perplexity_ratio = quality->perplexity_ratio;
    facts.kl = quality->kl;
    facts.kv_fraction = quality->kv_fraction;
  }
  return table;
}

}  // namespace layerboost
