#include "artifact/opened_ladder.h"

#include <utility>

#include "artifact/ladder_weights.h"
#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

std::string file_of(const ModelFiles& files) { return ladder_file(fs::path(files.where).parent_path()).string(); }

/// Level 0's plan: what the ladder was made on must be what lies beside it.
Plan level_0_plan(const ModelFiles& files) {
  const Ladder& ladder = *files.ladder;
  const Checkpoint& checkpoint = *files.checkpoint;
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
  return plan;
}

}  // namespace

std::vector<const MixerList*> OpenedLadder::levels() const {
  std::vector<const MixerList*> lists;
  for (int level = 0; level <= ladder.top(); ++level) lists.push_back(&list(level));
  return lists;
}

std::string OpenedLadder::plan_hash(int level) const {
  if (level == 0) return opened.plan_hash;
  Plan changed = plan;
  const std::vector<MixerSpec> specs = ladder.specs(level);
  for (std::size_t l = 0; l < specs.size(); ++l) changed.layers[l].mixer = specs[l];
  return ladder.weights_hash.empty() ? changed.hash() : "sha256:" + sha256(changed.hash() + ladder.weights_hash);
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
  if (ladder.weights_hash.empty()) return;
  use_weights(mixers, model,
              read_ladder_weights(ladder_weights_file(directory), model.config, ladder.specs(ladder.top()),
                                  ladder.weights_hash));
}

OpenedLadder open_ladder(const std::string& model, Precision precision, KvType kv, bool needs_text) {
  return open_ladder(find_ladder_files(model), precision, kv, needs_text);
}

OpenedLadder open_ladder(const ModelFiles& files, Precision precision, KvType kv, bool needs_text) {
  LB_CHECK(files.ladder != nullptr);
  check_model_hash(files);
  const std::string where = file_of(files);
  check_ladder(*files.ladder, files.checkpoint->config(), files.checkpoint->hash(), where);
  OpenedLadder result;
  result.ladder = *files.ladder;
  result.plan = level_0_plan(files);
  if (result.plan.specs() != result.ladder.level_0)
    fail("{}: \"level_0\" has other mixers than {}", where,
         files.plan.empty() ? files.checkpoint->config().name : files.plan.string());
  result.opened = open_model(files, precision, kv, needs_text);
  use_learnt(*result.opened.mixers, *result.opened.model, result.ladder, fs::path(where).parent_path());
  return result;
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
