#include "app/ladder_directory.h"

#include <system_error>
#include <utility>

#include "app/boost_healing.h"
#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"

namespace layerboost {
namespace {

constexpr const char* other_output_advice = "give another `output`, or remove it";

/// Whether a directory has the files of this level 0, left by a run that was stopped.
bool is_level_0(const fs::path& directory, const LadderStart& start) {
  std::error_code ignored;
  if (!start.level_0 || is_boost_directory(directory)) return false;
  try {
    if (fs::exists(healed_plan(directory), ignored) &&
        read_plan(healed_plan(directory)).hash() != start.ladder.plan_hash)
      return false;
    return !is_healed_directory(directory) ||
           read_healed_directory(directory).adapter_hash == start.ladder.adapter_hash;
  } catch (const Error&) {
    return false;
  }
}

void check_same_level_0(const Ladder& found, const Ladder& wanted, const std::string& file) {
  if (found.model_hash != wanted.model_hash) fail("{} is of another model: {}", file, other_output_advice);
  if (found.plan_hash != wanted.plan_hash || found.adapter_hash != wanted.adapter_hash)
    fail("{} begins with another plan: {}", file, other_output_advice);
  if (found.level_0 != wanted.level_0)
    fail("{}: \"level_0\" has other mixers than the model that the ladder stands on; {}", file, other_output_advice);
}

}  // namespace

LadderFound look_at_ladder_directory(const fs::path& directory, const LadderStart& start) {
  std::error_code ignored;
  const auto lies_here = [&](const fs::path& path) {
    return !path.empty() && fs::equivalent(path.parent_path(), directory, ignored);
  };
  // A plan that was given lies elsewhere, whatever the model's directory is.
  const bool own_source = lies_here(start.files.where) && (start.files.plan.empty() || lies_here(start.files.plan));
  LadderFound result;
  result.copies = start.level_0.has_value() && !own_source;
  if (!fs::exists(ladder_file(directory), ignored)) {
    for (const fs::path& there : {directory / boost_name::record, healed_file(directory), healed_plan(directory)})
      if (!own_source && fs::exists(there, ignored) && !is_level_0(directory, start))
        fail("{} holds something else already ({}): give another `output`", directory.string(),
             there.filename().string());
    return result;
  }
  const std::string file = ladder_file(directory).string();
  const Ladder& wanted = start.ladder;
  Ladder found = read_ladder(file);
  check_same_level_0(found, wanted, file);
  const auto was = [&](const char* key) { return get_or<Json>(found.options, key, Json(), file); };
  // Another number of rungs is the same ladder, a longer or a shorter one.
  const bool by_hand = was("chosen") != rungs_hash(found.rungs);
  const bool written_by_hand = found.options.empty();
  for (const auto& [key, value] : wanted.options.items())
    if (!written_by_hand && was(key.c_str()) != value && (key != "rungs" || by_hand))
      fail("{} was made with other options (\"{}\" is {}, not {}): {}", file, key,
           printable(was(key.c_str()).dump(), 80), printable(value.dump(), 80), other_output_advice);
  check_ladder(found, start.files.checkpoint->config(), wanted.model_hash, file);
  found.model_name = wanted.model_name;
  found.model_path = wanted.model_path;
  if (found.context != wanted.context)
    for (auto& quality : found.quality) quality.reset();
  found.context = wanted.context;
  if (start.trained) {
    result.complete = found.top() >= start.rungs;
    found.options["rungs"] = wanted.options.at("rungs");
  } else {
    result.complete = written_by_hand || was("rungs") == wanted.options.at("rungs");
  }
  if (!result.complete && !start.trained) {
    result.quality = std::move(found.quality);
    result.measured_on = found.measured_on;
    return result;
  }
  note("{} has its {} rungs already", file, found.top());
  result.ladder = std::move(found);
  return result;
}

std::string rungs_hash(const std::vector<Rung>& rungs) {
  std::string text;
  for (const Rung& rung : rungs) text += to_string(rung) + "\n";
  return content_hash(text);
}

void copy_level_0(const fs::path& directory, const ModelFiles& files, const Plan& level_0) {
  if (!files.adapter.empty()) return copy_healed(files.adapter.parent_path(), directory, files.checkpoint);
  write_file(healed_plan(directory), read_file(files.plan));
  if (level_0.maps)
    write_file(directory / level_0.maps->file, read_file(files.plan.parent_path() / level_0.maps->file));
}

}  // namespace layerboost
