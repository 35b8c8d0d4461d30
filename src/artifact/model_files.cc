#include "artifact/model_files.h"

#include <utility>

#include "artifact/adapter.h"
#include "artifact/boosted_directory.h"
#include "artifact/exported_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/model_store.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"

namespace layerboost {
namespace {

/// Advice for a healed directory that lacks something: the command finds its checkpoint, and writes what is missing.
constexpr const char* make_again = "run the same layerboost heal (or boost) again, which makes it anew";

/// The base model of a directory: at `path`, else in the cache under `name`, else the default model if it is the one.
std::shared_ptr<const Checkpoint> open_base(const fs::path& path, const std::string& name, const std::string& hash,
                                            const fs::path& where) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return open_checkpoint(path);
  for (const std::string& known : {name, std::string(default_model)}) {
    try {
      std::shared_ptr<const Checkpoint> found = open_checkpoint(find_cached_model(known));
      if (found->hash() == hash) return found;
    } catch (const Error& missing) {
      // Which says how to get it.
      if (known == default_model && fs::equivalent(where.parent_path(), models_directory(), ignored)) throw;
      if (name == default_model) fail("{}: {}", where.string(), missing.what());
    }
  }
  fail("{}: its base model {} ({}) is not {}under that name in the cache; put it there", where.string(), name, hash,
       path.empty() ? "" : fmt::format("at {} or ", path.string()));
}

ModelFiles of_boost(const fs::path& directory) {
  const BoostDirectory boost = read_boost_directory(directory);
  ModelFiles files;
  files.checkpoint = open_base(boost.model_path, boost.model_name, boost.model_hash, directory);
  files.model_hash = boost.model_hash;
  if (const fs::path plan = directory / boost_name::plan; fs::exists(plan)) files.plan = plan;
  files.where = (directory / boost_name::record).string();
  return files;
}

/// Level 0 of a ladder that isn't healed.
ModelFiles of_ladder(const fs::path& directory, const Ladder& ladder) {
  ModelFiles files;
  files.checkpoint = open_base(ladder.model_path, ladder.model_name, ladder.model_hash, directory);
  files.model_hash = ladder.model_hash;
  files.plan_hash = ladder.plan_hash;
  files.where = ladder_file(directory).string();
  if (ladder.plan_hash.empty()) return files;
  if (!ladder.adapter_hash.empty())
    fail("{}: level 0 is a healed plan, but {} is missing; restore it, and what lay beside it", files.where,
         healed_file(directory).string());
  files.plan = directory / plan_file_name;
  if (!fs::exists(files.plan)) fail("{}: {} is missing; restore it", files.where, files.plan.string());
  return files;
}

std::shared_ptr<const Ladder> ladder_of(const fs::path& directory) {
  return std::make_shared<const Ladder>(read_ladder(ladder_file(directory)));
}

/// With the ladder that may lie in a directory of any of them. Where it is one beside others, a broken one spoils
/// nothing but what is done with it.
ModelFiles find_ours(const fs::path& directory) {
  const bool healed = is_healed_directory(directory);
  if (!healed && !is_boost_directory(directory)) {
    const auto ladder = ladder_of(directory);
    ModelFiles files = of_ladder(directory, *ladder);
    files.ladder = ladder;
    return files;
  }
  ModelFiles files = healed ? healed_model_files(directory) : of_boost(directory);
  if (!is_ladder_directory(directory)) return files;
  try {
    files.ladder = ladder_of(directory);
  } catch (const Error& error) {
    files.ladder_fault = error.what();
  }
  return files;
}

ModelFiles of_exported(const fs::path& directory) {
  ModelFiles files;
  files.checkpoint = open_checkpoint(directory);
  files.plan = directory / plan_file_name;
  files.where = (directory / "config.json").string();
  // Not there in what transformers saved again.
  if (!fs::exists(files.plan)) files.plan = directory / "config.json";
  return files;
}

ModelFiles find(const std::string& model) {
  if (is_healed_directory(model) || is_boost_directory(model) || is_ladder_directory(model)) return find_ours(model);
  const fs::path path = find_model(model);
  if (is_exported_directory(path)) return of_exported(path);
  ModelFiles files;
  files.checkpoint = open_checkpoint(path);
  return files;
}

}  // namespace

ModelFiles healed_model_files(const fs::path& directory, std::shared_ptr<const Checkpoint> base) {
  const HealedDirectory healed = read_healed_directory(directory);
  ModelFiles files;
  files.where = healed_file(directory).string();
  files.plan = healed_plan(directory);
  files.adapter = healed_adapter(directory);
  for (const fs::path& file : {files.plan, files.adapter})
    if (!fs::exists(file)) fail("{}: {} is missing; {}", files.where, file.string(), make_again);
  files.adapter_hash = file_hash(files.adapter);
  if (files.adapter_hash != healed.adapter_hash)
    fail("{}: has changed since {} was written (expected {}, found {}); restore it, or {}", files.adapter.string(),
         files.where, healed.adapter_hash, files.adapter_hash, make_again);
  files.checkpoint =
      base != nullptr ? std::move(base) : open_base(healed.model_path, healed.model_name, healed.model_hash, directory);
  files.model_hash = healed.model_hash;
  files.plan_hash = healed.plan_hash;
  return files;
}

ModelFiles find_model_files(const std::string& model) {
  ModelFiles files = find(shipped_or_given(model));
  files.argument = model;
  return files;
}

ModelFiles find_ladder_files(const std::string& model) {
  ModelFiles files = find(with_its_ladder(model));
  files.argument = model;
  check_ladder_fault(files);
  if (files.ladder == nullptr)
    fail("{} has no ladder, and so no levels; layerboost ladder makes one", printable(model, 200));
  return files;
}

ModelFiles find_model_files(const std::string& model, const std::string& plan) {
  ModelFiles files = find(plan.empty() ? as_it_comes(model) : shipped_or_given(model));
  files.argument = model;
  if (plan.empty()) return files;
  files.plan = plan;
  files.plan_hash.clear();
  files.ladder.reset();
  files.ladder_fault.clear();
  return files;
}

void check_ladder_fault(const ModelFiles& files) {
  if (!files.ladder_fault.empty()) throw Error(files.ladder_fault);
}

void check_model_hash(const ModelFiles& files) {
  if (files.model_hash.empty()) return;
  if (const std::string hash = files.checkpoint->hash(); files.model_hash != hash)
    fail("{}: made from the model {}, but {} is {}; put the right model there", files.where, files.model_hash,
         files.checkpoint->path().string(), hash);
}

namespace {

void warn_of_untrained(const PlannedFiles& planned, const fs::path& plan) {
  for (std::size_t layer = 0; layer < planned.plan.layers.size(); ++layer) {
    const MixerSpec& mixer = planned.plan.layers[layer].mixer;
    if (!must_be_trained(mixer.kind) || planned.parameters.contains({static_cast<int>(layer), mixer.kind})) continue;
    return warn("{}: {} of layer {} hasn't been trained, and says nothing as it is: heal the plan first", plan.string(),
                to_string(mixer), layer);
  }
}

}  // namespace

PlannedFiles read_planned_files(const ModelFiles& files) {
  PlannedFiles planned;
  const Checkpoint& checkpoint = *files.checkpoint;
  const Config& config = checkpoint.config();
  check_model_hash(files);
  const std::string hash = checkpoint.hash();
  const bool in_config = files.plan == checkpoint.path() / "config.json";
  if (!config.attention.empty()) planned.plan = exported_plan(checkpoint);  // to be right even where it isn't used
  if (!in_config) planned.plan = read_plan(files.plan, config, hash);
  const std::string plan_hash = planned.plan.hash();
  if (!files.plan_hash.empty() && files.plan_hash != plan_hash) {
    if (fs::path(files.where) == ladder_file(fs::path(files.where).parent_path()))
      fail("{}: has changed since {} was made on it (expected {}, found {}); restore it, or make the ladder anew",
           files.plan.string(), files.where, files.plan_hash, plan_hash);
    fail("{}: has changed since it was healed (expected {}, found {}); restore it, or remove it and {}",
         files.plan.string(), files.plan_hash, plan_hash, make_again);
  }
  if (!files.adapter.empty()) {
    planned.adapter = read_adapter(files.adapter, config, hash, plan_hash);
    planned.change = std::make_shared<AdapterChange>(*planned.adapter, config, files.adapter_hash);
  }
  if (in_config) {
    planned.parameters = exported_parameters(checkpoint, planned.plan);
    return planned;
  }
  planned.parameters = merged_parameters(config, read_plan_maps(planned.plan, files.plan, config), planned.plan.specs(),
                                         planned.adapter ? &*planned.adapter : nullptr, files.adapter.string());
  warn_of_untrained(planned, files.plan);
  return planned;
}

}  // namespace layerboost
