#include "artifact/analysis_file.h"

#include <algorithm>

#include "artifact/json_layout.h"
#include "base/in_quotes.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

constexpr const char* analysis_format = "layerboost-analysis";
constexpr int analysis_version = 1;
constexpr int analysis_digits = 7;

// ---- writing

Json to_json(const Measured& estimate) {
  Json json = {{"mean", rounded(estimate.mean, analysis_digits)},
               {"stderr", rounded(estimate.stderr_of_mean, analysis_digits)}};
  for (const double difference : estimate.differences)
    json["differences"].push_back(rounded(difference, analysis_digits));
  return json;
}

Json to_json(const Scores& scores) {
  Json json = Json::object();
  for (const auto& [measure, estimate] : scores) json[measure] = to_json(estimate);
  return json;
}

Json to_json(const AnalysisModel& model) {
  const Config& c = model.config;
  Json json = {{"name", c.name},     {"hash", model.hash}, {"arch", c.arch},         {"layers", c.layers},
               {"hidden", c.hidden}, {"heads", c.heads},   {"kv_heads", c.kv_heads}, {"head_size", c.head_size}};
  if (std::any_of(c.windows.begin(), c.windows.end(), [](int w) { return w > 0; })) json["windows"] = c.windows;
  if (!model.path.empty()) json["path"] = model.path;
  return json;
}

Json to_json(const AnalysisData& data) {
  Json json = {{"source", data.source},
               {"hash", data.hash},
               {"sequences", data.sequences},
               {"length", data.length},
               {"tokens", data.tokens}};
  if (data.retrieval_items > 0)
    json["retrieval"] = {{"length", data.retrieval_length}, {"items", data.retrieval_items}};
  if (!data.tasks.empty()) json["tasks"] = data.tasks;
  if (data.estimated) json["estimated"] = true;
  return json;
}

Json to_json(int layer, const LayerScores& scores, const std::vector<MixerSpec>& order) {
  Json json = {{"layer", layer}};
  if (scores.cosine) json["cosine"] = to_json(*scores.cosine);
  if (scores.entropy) json["entropy"] = to_json(*scores.entropy);
  Json& choices = json["choices"] = Json::object();
  for (const MixerSpec& choice : order) {
    const auto it = scores.choices.find(choice);
    if (it != scores.choices.end()) choices[to_string(choice)] = to_json(it->second);
  }
  return json;
}

// ---- reading

Measured read_estimate(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"mean", "stderr", "differences"}, where);
  return {get<double>(json, "mean", where), get<double>(json, "stderr", where),
          get_or<std::vector<double>>(json, "differences", {}, where)};
}

Scores read_scores(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"kl", "nll", "task", "retrieval"}, where);
  Scores scores;
  for (const auto& [measure, value] : json.items()) scores[measure] = read_estimate(value, where + ": " + measure);
  return scores;
}

AnalysisModel read_model(const Json& json, const std::string& where) {
  refuse_unknown_keys(
      json, {"name", "hash", "arch", "layers", "hidden", "heads", "kv_heads", "head_size", "windows", "path"}, where);
  AnalysisModel model;
  model.hash = get<std::string>(json, "hash", where);
  model.path = get_or<std::string>(json, "path", "", where);
  Config& c = model.config;
  c.name = get<std::string>(json, "name", where);
  c.arch = get<std::string>(json, "arch", where);
  const auto size = [&](const char* key) {
    const int value = get<int>(json, key, where);
    if (value < 1 || value > (1 << 24)) fail("{}: \"{}\" is {}; it must be from 1 to 2^24", where, key, value);
    return value;
  };
  c.layers = size("layers");
  c.hidden = size("hidden");
  c.heads = size("heads");
  c.kv_heads = size("kv_heads");
  c.head_size = size("head_size");
  if (c.layers > 10000) fail("{}: \"layers\" is {}; at most 10000 are supported", where, c.layers);
  c.windows = get_or<std::vector<int>>(json, "windows", std::vector<int>(static_cast<std::size_t>(c.layers)), where);
  if (static_cast<int>(c.windows.size()) != c.layers)
    fail("{}: \"windows\" has {} entries for {} layers", where, c.windows.size(), c.layers);
  return model;
}

AnalysisData read_data(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"source", "hash", "sequences", "length", "tokens", "retrieval", "tasks", "estimated"},
                      where);
  AnalysisData data;
  data.source = get<std::string>(json, "source", where);
  data.hash = get<std::string>(json, "hash", where);
  data.sequences = get<int>(json, "sequences", where);
  data.length = get<int>(json, "length", where);
  data.tokens = get<std::int64_t>(json, "tokens", where);
  if (json.contains("retrieval")) {
    const Json& retrieval = json["retrieval"];
    refuse_unknown_keys(retrieval, {"length", "items"}, where + ": retrieval");
    data.retrieval_length = get<int>(retrieval, "length", where + ": retrieval");
    data.retrieval_items = get<int>(retrieval, "items", where + ": retrieval");
  }
  data.tasks = get_or<std::vector<std::string>>(json, "tasks", {}, where);
  data.estimated = get_or<bool>(json, "estimated", false, where);
  return data;
}

MixerSpec read_choice(const std::string& text, const std::string& where) {
  try {
    return parse_mixer(text);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
}

void read_layer(const Json& json, Analysis& analysis, const std::string& file) {
  const int layer = get<int>(json, "layer", file + ": layers");
  if (layer < 0 || layer >= analysis.model.config.layers)
    fail("{}: layer {} is out of range; the model's layers are 0 to {}", file, layer, analysis.model.config.layers - 1);
  if (analysis.layers.contains(layer)) fail("{}: layer {} is there twice", file, layer);
  const std::string where = fmt::format("{}: layer {}", file, layer);
  refuse_unknown_keys(json, {"layer", "cosine", "entropy", "choices"}, where);
  LayerScores scores;
  if (json.contains("cosine")) scores.cosine = read_estimate(json["cosine"], where + ": cosine");
  if (json.contains("entropy")) scores.entropy = read_estimate(json["entropy"], where + ": entropy");
  const Json choices = get<Json>(json, "choices", where);
  for (const auto& [name, value] : choices.items()) {
    const MixerSpec choice = read_choice(name, where);
    if (std::find(analysis.choices.begin(), analysis.choices.end(), choice) == analysis.choices.end())
      fail("{}: {} is not among the file's choices", where, in_quotes(name));
    scores.choices[choice] = read_scores(value, where + ": " + printable(name, 80));
  }
  analysis.layers[layer] = std::move(scores);
}

RankCorrelation read_correlation(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"choice", "a", "b", "spearman"}, where);
  return {get<std::string>(json, "choice", where), get<std::string>(json, "a", where),
          get<std::string>(json, "b", where), get<double>(json, "spearman", where)};
}

void read_head(const Json& json, const std::string& file) {
  check_format(json, analysis_format, analysis_version, file);
  refuse_unknown_keys(json,
                      {"format", "version", "run", "model", "data", "base", "choices", "measures", "layers",
                       "rank_correlation", "maps"},
                      file);
}

}  // namespace

const std::vector<std::string>& analysis_measures() {
  static const std::vector<std::string> names = {"kl", "nll", "task", "retrieval", "cosine", "entropy"};
  return names;
}

bool Analysis::complete() const {
  if (static_cast<int>(layers.size()) != model.config.layers) return false;
  return std::all_of(layers.begin(), layers.end(), [&](const auto& entry) {
    return std::all_of(choices.begin(), choices.end(), [&](const MixerSpec& choice) {
      return entry.second.choices.contains(choice) || !keeps_less(model.config, entry.first, choice);
    });
  });
}

Analysis read_analysis(const fs::path& path) {
  const std::string file = path.string();
  const Json json = read_json(path);
  read_head(json, file);
  Analysis analysis;
  analysis.run = get_or<Json>(json, "run", Json::object(), file);
  analysis.model = read_model(get<Json>(json, "model", file), file + ": model");
  analysis.data = read_data(get<Json>(json, "data", file), file + ": data");
  analysis.base = read_scores(get<Json>(json, "base", file), file + ": base");
  for (const auto& name : get<std::vector<std::string>>(json, "choices", file))
    analysis.choices.push_back(read_choice(name, file + ": choices"));
  analysis.measures = get<std::vector<std::string>>(json, "measures", file);
  for (const Json& layer : get<std::vector<Json>>(json, "layers", file)) read_layer(layer, analysis, file);
  for (const Json& item : get_or<std::vector<Json>>(json, "rank_correlation", {}, file))
    analysis.rank_correlation.push_back(read_correlation(item, file + ": rank_correlation"));
  if (json.contains("maps")) {
    const std::string where = file + ": maps";
    refuse_unknown_keys(json["maps"], {"file", "hash"}, where);
    analysis.maps = {get<std::string>(json["maps"], "file", where), get<std::string>(json["maps"], "hash", where)};
  }
  return analysis;
}

void write_analysis(const fs::path& path, const Analysis& analysis) {
  Json json = {{"format", analysis_format}, {"version", analysis_version}, {"run", analysis.run}};
  json["model"] = to_json(analysis.model);
  json["data"] = to_json(analysis.data);
  json["base"] = to_json(analysis.base);
  json["choices"] = Json::array();
  for (const MixerSpec& choice : analysis.choices) json["choices"].push_back(to_string(choice));
  json["measures"] = analysis.measures;
  json["layers"] = Json::array();
  for (const auto& [layer, scores] : analysis.layers)
    json["layers"].push_back(to_json(layer, scores, analysis.choices));
  if (!analysis.rank_correlation.empty()) {
    for (const RankCorrelation& c : analysis.rank_correlation)
      json["rank_correlation"].push_back(
          {{"choice", c.choice}, {"a", c.a}, {"b", c.b}, {"spearman", rounded(c.spearman, 4)}});
  }
  if (analysis.maps) json["maps"] = {{"file", analysis.maps->file}, {"hash", analysis.maps->hash}};
  write_file(path, layout_lines(json));
}

}  // namespace layerboost
