#include "artifact/opened_ladder.h"

#include <utility>

#include "artifact/ladder_weights.h"
#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

std::string file_of(const ModelFiles& files) { return ladder_file(fs::path(files.where).parent_path()).string(); }

/// Level 0's plan. The ladder must be of this model, and made on the plan and the adapter that lie beside it.
Plan level_0_plan(const ModelFiles& files) {
  const Ladder& ladder = *files.ladder;
  const Checkpoint& checkpoint = *files.checkpoint;
  check_model_hash(files);
  check_ladder(ladder, checkpoint.config(), checkpoint.hash(), file_of(files));
  Plan plan;
  if (!ladder.plan_hash.empty()) plan = read_plan(files.plan, checkpoint.config(), checkpoint.hash());
  const std::string found = ladder.plan_hash.empty() ? "" : plan.hash();
  if (found != ladder.plan_hash || files.adapter_hash != ladder.adapter_hash ||
      (ladder.plan_hash.empty() && !files.plan.empty()))
    fail("{}: made on another plan or adapter than lies beside it; make the ladder anew", file_of(files));
  if (plan.layers.empty()) {
    plan.model_name = checkpoint.config().name;
    plan.model_hash = checkpoint.hash();
    for (const MixerSpec& spec : native_specs(checkpoint.config())) plan.layers.push_back({spec, {}});
  }
  if (plan.specs() != ladder.level_0)
    fail("{}: \"level_0\" has other mixers than {}", file_of(files),
         files.plan.empty() ? checkpoint.config().name : files.plan.string());
  return plan;
}

Plan with_mixers(Plan plan, const std::vector<MixerSpec>& specs) {
  for (std::size_t layer = 0; layer < specs.size(); ++layer) plan.layers[layer].mixer = specs[layer];
  return plan;
}

LadderWeights read_learnt(const Ladder& ladder, const Config& config, const fs::path& directory) {
  return read_ladder_weights(directory, config, ladder.specs(ladder.top()), ladder.weights_hash);
}

}  // namespace

std::vector<const MixerList*> OpenedLadder::levels() const {
  std::vector<const MixerList*> lists;
  for (int level = 0; level <= ladder.top(); ++level) lists.push_back(&list(level));
  return lists;
}

std::string OpenedLadder::plan_hash(int level) const {
  if (level == 0) return opened.plan_hash;
  const std::string hash = with_mixers(plan, ladder.specs(level)).hash();
  return ladder.weights_hash.empty() ? hash : content_hash(hash + ladder.weights_hash);
}

void check_level(const Ladder& ladder, int level) {
  if (level < 0 || level > ladder.top())
    fail("`level` {}: the ladder of {} has the levels 0 to {}", level, printable(ladder.model_name, 80), ladder.top());
}

OpenedModel OpenedLadder::at(int level) && {
  check_level(ladder, level);
  opened.plan_hash = plan_hash(level);
  opened.specs = ladder.specs(level);
  return std::move(opened);
}

void use_learnt(MixerSet& mixers, const Model& model, const Ladder& ladder, const fs::path& directory) {
  if (!ladder.weights_hash.empty()) use_weights(mixers, model, read_learnt(ladder, model.config, directory));
}

OpenedLadder open_ladder(const std::string& model, Precision precision, KvType kv, bool needs_text) {
  return open_ladder(find_ladder_files(model), precision, kv, needs_text);
}

OpenedLadder open_ladder(const ModelFiles& files, Precision precision, KvType kv, bool needs_text) {
  LB_CHECK(files.ladder != nullptr);
  OpenedLadder result;
  result.ladder = *files.ladder;
  result.plan = level_0_plan(files);
  result.opened = open_model(files, precision, kv, needs_text);
  use_learnt(*result.opened.mixers, *result.opened.model, result.ladder, fs::path(files.where).parent_path());
  return result;
}

PlannedFiles read_level_files(const ModelFiles& files, int level) {
  LB_CHECK(files.ladder != nullptr);
  const Ladder& ladder = *files.ladder;
  check_level(ladder, level);
  const Plan level_0 = level_0_plan(files);
  PlannedFiles planned;
  if (!files.plan.empty()) planned = read_planned_files(files);
  planned.plan = with_mixers(level_0, ladder.specs(level));
  if (ladder.weights_hash.empty()) return planned;
  LadderWeights learnt = read_learnt(ladder, files.checkpoint->config(), fs::path(files.where).parent_path());
  std::erase_if(learnt, [&](const auto& layer) {
    return layer.second.mixer != planned.plan.layers[static_cast<std::size_t>(layer.first)].mixer;
  });
  for (const auto& [layer, one] : learnt) planned.parameters[{layer, one.mixer.kind}] = one.parameters;
  if (!learnt.empty())
    planned.change = std::make_shared<LearntChange>(std::make_shared<LadderWeights>(std::move(learnt)), planned.change,
                                                    ladder.weights_hash);
  return planned;
}

OpenedModel open_model_argument(const std::string& model, const std::string& plan, std::optional<int> level,
                                Precision precision, KvType kv, bool needs_text) {
  if (!level) return open_model_argument(model, plan, precision, kv, needs_text);
  if (!plan.empty()) fail("`level` {}: not with `plan`, for a ladder has its own", *level);
  const ModelFiles files = find_ladder_files(model);
  check_level(*files.ladder, *level);  // before the weights are read
  return open_ladder(files, precision, kv, needs_text).at(*level);
}

}  // namespace layerboost
