#include "artifact/ladder.h"

#include <algorithm>
#include <utility>

#include "artifact/json_layout.h"
#include "artifact/ladder_weights.h"
#include "artifact/plan.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

constexpr const char* ladder_format = "layerboost-ladder";
constexpr int ladder_version = 1;
constexpr int digits = 6;
/// More than any model has, so that reading a file takes no longer than its size explains.
constexpr std::size_t most_layers = 4096, most_rungs = 65536;
/// Longer than any window can be.
constexpr int endless = 4 * largest_spec_number;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// ---- what a mixer looks at

/// Positions of an endless sequence whose keys and values a KV head that isn't whole keeps.
std::int64_t positions_of(MixerSpec spec) {
  spec.full = 0;
  return descriptor_of(spec.kind).cost.positions(spec, 1, endless);
}

bool keeps_everything(const MixerSpec& spec) { return positions_of(spec) == endless; }

/// Parameters that are fitted are in no ladder.
bool may_be_had(MixerKind kind, bool learnt) {
  return !must_be_trained(kind) || (learnt && !descriptor_of(kind).fitted_map);
}

bool keeps_state(const MixerSpec& spec) { return descriptor_of(spec.kind).cost.state_bytes != no_state; }

// ---- hashes

std::string hashed_begin(const Ladder& ladder) {
  std::string begin = ladder.model_hash + "\n" + ladder.plan_hash + "\n" + ladder.adapter_hash + "\n";
  return ladder.weights_hash.empty() ? begin : begin + ladder.weights_hash + "\n";
}

std::string level_hash_of(std::string begin, const std::vector<std::string>& mixers) {
  for (const std::string& mixer : mixers) begin += mixer + "\n";
  return content_hash(begin);
}

// ---- writing

std::vector<std::string> written(const std::vector<MixerSpec>& specs) {
  std::vector<std::string> words;
  for (const MixerSpec& spec : specs) words.push_back(to_string(spec));
  return words;
}

Json to_json(const Rung& rung) { return {{"layer", rung.layer}, {"mixer", to_string(rung.mixer)}}; }

Json to_json(int level, const LevelQuality& quality) {
  const auto number = [](double x) { return rounded(x, digits); };
  Json json = {{"level", level},
               {"kl", number(quality.kl)},
               {"kl_stderr", number(quality.kl_error)},
               {"perplexity", number(quality.perplexity)},
               {"perplexity_ratio", number(quality.perplexity_ratio)},
               {"perplexity_ratio_stderr", number(quality.perplexity_ratio_error)}};
  for (const LevelRetrieval& row : quality.retrieval)
    json["retrieval"].push_back(
        {{"length", row.length}, {"found", number(row.found)}, {"kept", number(row.kept)}, {"loss", number(row.loss)}});
  for (const LevelTask& task : quality.tasks)
    json["tasks"].push_back({{"name", task.name}, {"accuracy", number(task.accuracy)}});
  json["kv_bytes"] = quality.kv_bytes;
  json["kv_fraction"] = number(quality.kv_fraction);
  if (quality.speedup) json["speedup"] = number(*quality.speedup);
  if (quality.decode_speed) json["decode_speed"] = number(*quality.decode_speed);
  json["mixers"] = quality.mixers;
  return json;
}

// ---- reading

MixerSpec read_mixer(const std::string& text, const std::string& where) {
  try {
    return parse_mixer(text);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
}

/// A list of objects, each of which `read` gets; nothing where the key is missing.
template <typename Read>
void read_list(const Json& json, const char* key, const std::string& file, const Read& read) {
  if (!json.contains(key)) return;
  if (!json[key].is_array()) fail("{}: \"{}\" has the wrong type; expected a list of objects", file, key);
  for (const Json& item : json[key]) read(item);
}

void read_level_0(const Json& json, const std::string& where, Ladder& ladder) {
  refuse_unknown_keys(json, {"plan", "adapter", "mixers"}, where);
  ladder.plan_hash = get_or<std::string>(json, "plan", "", where);
  ladder.adapter_hash = get_or<std::string>(json, "adapter", "", where);
  if (ladder.plan_hash.empty() && !ladder.adapter_hash.empty())
    fail("{}: \"adapter\" goes with a \"plan\" only", where);
  const auto words = get<std::vector<std::string>>(json, "mixers", where);
  if (words.empty()) fail("{}: \"mixers\" is empty; it must have one mixer for each layer", where);
  if (words.size() > most_layers)
    fail("{}: \"mixers\" has {} layers; no more than {} are read", where, words.size(), most_layers);
  for (std::size_t l = 0; l < words.size(); ++l)
    ladder.level_0.push_back(read_mixer(words[l], fmt::format("{}: layer {}", where, l)));
}

void read_rungs(const Json& json, const std::string& file, Ladder& ladder) {
  std::vector<MixerSpec> specs = ladder.level_0;
  (void)get<Json>(json, "rungs", file);
  read_list(json, "rungs", file, [&](const Json& item) {
    if (ladder.rungs.size() == most_rungs)
      fail("{}: \"rungs\" has more than {}, and no more are read", file, most_rungs);
    const std::string where = fmt::format("{}: rung {}", file, ladder.rungs.size() + 1);
    refuse_unknown_keys(item, {"layer", "mixer"}, where);
    const auto layer = get<std::int64_t>(item, "layer", where);
    if (layer < 0 || layer >= std::ssize(specs))
      fail("{}: \"layer\" is {}; the model's layers are 0 to {}", where, layer, specs.size() - 1);
    const Rung rung{static_cast<int>(layer), read_mixer(get<std::string>(item, "mixer", where), where)};
    MixerSpec& now = specs[at(rung.layer)];
    check_rung(now, rung.mixer, fmt::format("{}, layer {}", where, rung.layer), !ladder.weights_hash.empty());
    now = rung.mixer;
    ladder.rungs.push_back(rung);
  });
}

double read_number(const Json& json, const char* key, double least, const std::string& where) {
  const auto value = get<double>(json, key, where);
  if (value < least) fail("{}: \"{}\" is {:g}; it must be at least {:g}", where, key, value, least);
  return value;
}

std::optional<double> read_speed(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key)) return {};
  const auto value = get<double>(json, key, where);
  if (value <= 0) fail("{}: \"{}\" is {:g}; it must be above 0", where, key, value);
  return value;
}

LevelRetrieval read_retrieval(const Json& json, const std::string& level) {
  const std::string where = level + ": retrieval";
  refuse_unknown_keys(json, {"length", "found", "kept", "loss"}, where);
  LevelRetrieval row;
  row.length = get<int>(json, "length", where);
  if (row.length < 1) fail("{}: \"length\" is {}; it must be at least 1", where, row.length);
  row.found = read_number(json, "found", 0, where);
  row.kept = read_number(json, "kept", 0, where);
  row.loss = get<double>(json, "loss", where);
  return row;
}

LevelQuality read_level(const Json& json, const std::string& where) {
  refuse_unknown_keys(json,
                      {"level", "kl", "kl_stderr", "perplexity", "perplexity_ratio", "perplexity_ratio_stderr",
                       "retrieval", "tasks", "kv_bytes", "kv_fraction", "speedup", "decode_speed", "mixers"},
                      where);
  LevelQuality quality;
  quality.mixers = get<std::string>(json, "mixers", where);
  quality.kl = get<double>(json, "kl", where);
  quality.kl_error = get_or<double>(json, "kl_stderr", 0, where);
  quality.perplexity = read_number(json, "perplexity", 0, where);
  quality.perplexity_ratio = read_number(json, "perplexity_ratio", 0, where);
  quality.perplexity_ratio_error = get_or<double>(json, "perplexity_ratio_stderr", 0, where);
  read_list(json, "retrieval", where,
            [&](const Json& row) { quality.retrieval.push_back(read_retrieval(row, where)); });
  read_list(json, "tasks", where, [&](const Json& task) {
    const std::string of = where + ": tasks";
    refuse_unknown_keys(task, {"name", "accuracy"}, of);
    quality.tasks.push_back({get<std::string>(task, "name", of), read_number(task, "accuracy", 0, of)});
  });
  quality.kv_bytes = get<std::int64_t>(json, "kv_bytes", where);
  if (quality.kv_bytes < 0) fail("{}: \"kv_bytes\" is {}; it must be at least 0", where, quality.kv_bytes);
  quality.kv_fraction = read_number(json, "kv_fraction", 0, where);
  quality.speedup = read_speed(json, "speedup", where);
  quality.decode_speed = read_speed(json, "decode_speed", where);
  return quality;
}

/// Figures of what is no longer there are left out: whoever edits the rungs by hand needn't remove them.
void read_quality(const Json& json, const std::string& file, Ladder& ladder) {
  ladder.quality.assign(ladder.rungs.size() + 1, {});
  int stale = 0;
  read_list(json, "quality", file, [&](const Json& item) {
    const auto level = get<std::int64_t>(item, "level", file + ": quality");
    const std::string where = fmt::format("{}: quality of level {}", file, level);
    LevelQuality quality = read_level(item, where);
    if (level < 0 || level > ladder.top()) {
      ++stale;
      return;
    }
    std::optional<LevelQuality>& place = ladder.quality[static_cast<std::size_t>(level)];
    if (place) fail("{}: is there twice", where);
    place = std::move(quality);
  });
  const std::string begin = hashed_begin(ladder);
  std::vector<std::string> mixers = written(ladder.level_0);
  for (int level = 0; level <= ladder.top(); ++level) {
    if (level > 0) mixers[at(ladder.rungs[at(level - 1)].layer)] = to_string(ladder.rungs[at(level - 1)].mixer);
    std::optional<LevelQuality>& place = ladder.quality[at(level)];
    if (!place || place->mixers == level_hash_of(begin, mixers)) continue;
    place.reset();
    ++stale;
  }
  if (stale > 0)
    warn(
        "{}: {} level{} changed since {} measured; what was measured is left out (the command that made the ladder "
        "measures anew)",
        file, stale, stale == 1 ? " has" : "s have", stale == 1 ? "it was" : "they were");
}

Json object_or_none(const Json& json, const char* key, const std::string& file) {
  Json value = get_or<Json>(json, key, Json::object(), file);
  if (!value.is_object()) fail("{}: \"{}\" has the wrong type; expected an object", file, key);
  return value;
}

}  // namespace

std::string to_string(const Rung& rung) { return fmt::format("layer {} -> {}", rung.layer, to_string(rung.mixer)); }

double LevelQuality::kept() const {
  double least = 1;
  for (const LevelRetrieval& row : retrieval) least = std::min(least, row.kept);
  return least;
}

double LevelQuality::mean_accuracy() const {
  double sum = 0;
  for (const LevelTask& task : tasks) sum += task.accuracy;
  return sum / static_cast<double>(tasks.size());
}

std::vector<MixerSpec> Ladder::specs(int level) const {
  LB_CHECK(level >= 0 && level <= top());
  std::vector<MixerSpec> result = level_0;
  for (int i = 0; i < level; ++i) result[at(rungs[at(i)].layer)] = rungs[at(i)].mixer;
  return result;
}

std::string Ladder::level_hash(int level) const { return level_hash_of(hashed_begin(*this), written(specs(level))); }

bool is_ladder_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(ladder_file(path), ignored);
}

bool may_follow(const MixerSpec& from, const MixerSpec& to, bool learnt) {
  if (from == to || !may_be_had(to.kind, learnt) || !descriptor_of(to.kind).folds(to)) return false;
  if (keeps_everything(from)) return true;
  if (keeps_everything(to) || to.window > from.window || to.sinks > from.sinks) return false;
  if ((to.full & ~from.full) != 0 || (keeps_state(to) && !keeps_state(from))) return false;
  const bool less_state = keeps_state(from) && !keeps_state(to);
  return positions_of(to) < positions_of(from) || to.full != from.full || less_state || to.kind > from.kind;
}

void check_rung(const MixerSpec& from, const MixerSpec& to, const std::string& where, bool learnt) {
  if (may_follow(from, to, learnt)) return;
  if (from == to) fail("{}: changes nothing, the layer has {} already", where, to_string(from));
  if (!may_be_had(to.kind, learnt))
    fail("{}: {} has parameters that are learnt for each layer, which this ladder doesn't hold", where, to_string(to));
  if (!descriptor_of(to.kind).folds(to))
    fail("{}: {} can't take over what another mixer kept of a sequence, as running ones do", where, to_string(to));
  fail(
      "{}: {} comes after {}, and a ladder never gives back what it took (no wider window, no more sinks, no other "
      "whole heads, no linear state)",
      where, to_string(to), to_string(from));
}

void check_ladder(const Ladder& ladder, const Config& config, const std::string& model_hash, const std::string& where) {
  const std::string name = printable(config.name, 80);
  if (ladder.model_hash != model_hash)
    fail("{}: made for the model {} ({}), but the model given is {} ({})", where, printable(ladder.model_name, 80),
         printable(ladder.model_hash, 80), name, model_hash);
  if (std::ssize(ladder.level_0) != config.layers)
    fail("{}: level_0: \"mixers\" has {} layers, but {} has {}", where, ladder.level_0.size(), name, config.layers);
  Plan level;
  for (const MixerSpec& spec : ladder.level_0) level.layers.push_back({spec, {}});
  check_layers(level, config, where + ": level_0");
  for (int i = 0; i < ladder.top(); ++i) {
    const Rung& rung = ladder.rungs[at(i)];
    level.layers[at(rung.layer)].mixer = rung.mixer;
    check_layers(level, config, fmt::format("{}: rung {}", where, i + 1));
  }
}

Ladder read_ladder(const fs::path& file) {
  const std::string where = file.string();
  const Json json = read_json(file);
  check_format(json, ladder_format, ladder_version, where);
  refuse_unknown_keys(json,
                      {"format", "version", "model", "level_0", "weights", "rungs", "context", "quality", "measured_on",
                       "options", "run"},
                      where);
  const Json model = get<Json>(json, "model", where);
  refuse_unknown_keys(model, {"name", "path", "hash"}, where + ": model");
  Ladder ladder;
  ladder.model_name = get<std::string>(model, "name", where + ": model");
  ladder.model_path = get_or<std::string>(model, "path", "", where + ": model");
  ladder.model_hash = get<std::string>(model, "hash", where + ": model");
  read_level_0(get<Json>(json, "level_0", where), where + ": level_0", ladder);
  ladder.weights_hash = get_or<std::string>(json, "weights", "", where);
  if (!ladder.weights_hash.empty() && !is_content_hash(ladder.weights_hash))
    fail("{}: \"weights\" is {}; it must be sha256:<64 hex digits>", where, in_quotes(ladder.weights_hash));
  read_rungs(json, where, ladder);
  ladder.context = get_or<int>(json, "context", ladder.context, where);
  if (ladder.context < 1) fail("{}: \"context\" is {}; it must be at least 1", where, ladder.context);
  read_quality(json, where, ladder);
  ladder.measured_on = object_or_none(json, "measured_on", where);
  ladder.options = object_or_none(json, "options", where);
  ladder.run = object_or_none(json, "run", where);
  return ladder;
}

void write_ladder(const fs::path& file, const Ladder& ladder) {
  Json level_0 = Json::object();
  if (!ladder.plan_hash.empty()) level_0["plan"] = ladder.plan_hash;
  if (!ladder.adapter_hash.empty()) level_0["adapter"] = ladder.adapter_hash;
  level_0["mixers"] = written(ladder.level_0);
  Json json = {
      {"format", ladder_format},
      {"version", ladder_version},
      {"model", {{"name", ladder.model_name}, {"path", ladder.model_path.string()}, {"hash", ladder.model_hash}}},
      {"level_0", level_0},
      {"rungs", Json::array()},
      {"context", ladder.context}};
  if (!ladder.weights_hash.empty()) json["weights"] = ladder.weights_hash;
  for (const Rung& rung : ladder.rungs) json["rungs"].push_back(to_json(rung));
  for (std::size_t level = 0; level < ladder.quality.size(); ++level)
    if (ladder.quality[level]) json["quality"].push_back(to_json(static_cast<int>(level), *ladder.quality[level]));
  if (!ladder.measured_on.empty()) json["measured_on"] = ladder.measured_on;
  if (!ladder.options.empty()) json["options"] = ladder.options;
  if (!ladder.run.empty()) json["run"] = ladder.run;
  write_file(file, layout_lines(json));
}

}  // namespace layerboost
