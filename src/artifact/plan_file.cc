// Reading and writing of plans: the functions of plan.h that know the format.
#include <algorithm>

#include "artifact/json_layout.h"
#include "artifact/plan.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

constexpr const char* plan_format = "layerboost-plan";
constexpr int plan_version = 1;
constexpr int plan_digits = 4, exact_digits = 7;

// ---- writing

Json to_json(std::size_t index, const PlanLayer& layer) {
  Json json = {{"layer", index}, {"mixer", name_of(layer.mixer.kind)}};
  for (const SpecField& field : descriptor_of(layer.mixer.kind).fields) json[field.key] = layer.mixer.*field.value;
  if (layer.mixer.full != 0) json["full"] = heads_of(layer.mixer.full);
  if (layer.mixer.variants != 0) json["variants"] = variant_names(layer.mixer);
  for (const auto& [choice, scores] : layer.scores)
    for (const auto& [measure, loss] : scores) json["scores"][to_string(choice)][measure] = rounded(loss, plan_digits);
  return json;
}

Json to_json(const MadeFrom& from) {
  return {{"analysis", from.analysis}, {"command", from.command},
          {"measure", from.measure},   {"retrieval_weight", from.retrieval_weight},
          {"budget", from.budget},     {"search", from.search}};
}

Json to_json(const Predicted& predicted) {
  Json json = {{"loss", rounded(predicted.loss, exact_digits)}, {"loss_by", predicted.loss_by}};
  if (predicted.measured_loss) json["measured_loss"] = rounded(*predicted.measured_loss, exact_digits);
  json["context"] = predicted.context;
  json["kv_bytes"] = predicted.kv_bytes;
  json["kv_bytes_per_token"] = rounded(predicted.kv_bytes_per_token, exact_digits);
  json["kv_fraction"] = rounded(predicted.kv_fraction, exact_digits);
  if (predicted.speedup) {
    json["speedup"] = rounded(*predicted.speedup, plan_digits);
    json["speedup_batch"] = predicted.speedup_batch;
    json["speedup_context"] = predicted.speedup_context;
  }
  return json;
}

// ---- reading

int read_count(const Json& json, const char* key, int least, const std::string& where) {
  const auto value = get<Json>(json, key, where);
  if (!value.is_number_integer() || value < least || value > largest_spec_number)
    fail("{}: \"{}\" is {}; it must be a whole number from {} to {}", where, key, printable(value.dump(), 80), least,
         largest_spec_number);
  return value.get<int>();
}

/// "full": [0, 2].
HeadSet read_heads(const Json& json, const std::string& where) {
  HeadSet heads = 0;
  for (const int head : get<std::vector<int>>(json, "full", where)) {
    if (head < 0 || head >= head_set_size || has_head(heads, head))
      fail("{}: \"full\" is {}; it must list KV heads from 0 to {}, each once", where,
           printable(json["full"].dump(), 80), head_set_size - 1);
    heads |= set_of_head(head);
  }
  if (heads == 0) fail("{}: \"full\" is empty; it must list KV heads", where);
  return heads;
}

/// "variants": ["x"].
VariantSet read_variants(const Json& json, MixerKind kind, const std::string& where) {
  if (descriptor_of(kind).variants.empty()) fail("{}: \"variants\" doesn't go with \"{}\"", where, name_of(kind));
  try {
    return variants_of(kind, get<std::vector<std::string>>(json, "variants", where));
  } catch (const Error& error) {
    fail("{}: \"variants\": {}", where, error.what());
  }
}

MixerSpec read_mixer(const Json& json, const std::string& where) {
  const auto name = get<std::string>(json, "mixer", where);
  const MixerDescriptor* const kind = find_kind(name);
  if (kind == nullptr) {
    std::vector<const char*> allowed;
    for (const MixerDescriptor* one : mixer_descriptors()) allowed.push_back(one->name);
    fail("{}: \"mixer\" is {}; allowed: {}", where, in_quotes(name), fmt::join(allowed, ", "));
  }
  for (const SpecField& field : spec_fields())
    if (json.contains(field.key) && !has_field(kind->kind, field))
      fail("{}: \"{}\" goes with the mixers {} only, not with \"{}\"", where, field.key, kinds_with(field, "and"),
           name);
  if (json.contains("full") && !kind->full_heads)
    fail("{}: \"full\" (KV heads that keep everything) doesn't go with \"{}\"", where, name);
  MixerSpec spec{.kind = kind->kind};
  for (const SpecField& field : kind->fields)
    if (field.least > 0 || json.contains(field.key))
      spec.*field.value = read_count(json, field.key, field.least, where);
  if (json.contains("full")) spec.full = read_heads(json, where);
  if (json.contains("variants")) spec.variants = read_variants(json, kind->kind, where);
  return spec;
}

std::map<MixerSpec, std::map<std::string, double>> read_layer_scores(const Json& json, const std::string& where) {
  std::map<MixerSpec, std::map<std::string, double>> scores;
  if (!json.is_object()) fail("{}: \"scores\" has the wrong type; expected an object by mixer, then by measure", where);
  for (const auto& [name, losses] : json.items()) {
    MixerSpec choice;
    try {
      choice = parse_mixer(name);
    } catch (const Error& error) {
      fail("{}: scores: {}", where, error.what());
    }
    refuse_unknown_keys(losses, {"kl", "nll", "task", "retrieval"}, where + ": scores: " + printable(name, 80));
    for (const auto& [measure, loss] : losses.items())
      scores[choice][measure] = get<double>(losses, measure.c_str(), where + ": scores: " + printable(name, 80));
  }
  return scores;
}

std::vector<PlanLayer> read_layers(const Json& json, const std::string& file) {
  if (!json.is_array() || json.empty()) fail("{}: \"layers\" must be a list with an object for each layer", file);
  const int count = static_cast<int>(json.size());
  std::vector<std::optional<PlanLayer>> found(json.size());
  std::vector<std::string_view> allowed = {"layer", "mixer"};
  for (const SpecField& field : spec_fields()) allowed.emplace_back(field.key);
  allowed.emplace_back("full");
  allowed.emplace_back("variants");
  allowed.emplace_back("scores");
  for (const Json& item : json) {
    const auto number = get<std::int64_t>(item, "layer", file + ": layers");
    const std::string where = fmt::format("{}: layer {}", file, number);
    if (number < 0 || number >= count)
      fail("{}: out of range; \"layers\" has {} entries, so that layers are 0 to {}", where, count, count - 1);
    auto& slot = found[static_cast<std::size_t>(number)];
    if (slot) fail("{}: is there twice; each layer from 0 to {} must be there once", where, count - 1);
    refuse_unknown_keys(item, allowed, where);
    slot = PlanLayer{read_mixer(item, where), {}};
    if (item.contains("scores")) slot->scores = read_layer_scores(item["scores"], where);
  }
  std::vector<PlanLayer> layers;
  for (auto& slot : found) layers.push_back(std::move(slot.value()));  // n distinct numbers below n: all are there
  return layers;
}

MadeFrom read_made_from(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"analysis", "command", "measure", "retrieval_weight", "budget", "search"}, where);
  MadeFrom from;
  from.analysis = get_or<std::string>(json, "analysis", "", where);
  from.command = get_or<std::string>(json, "command", "", where);
  from.measure = get_or<std::string>(json, "measure", "", where);
  from.retrieval_weight = get_or<double>(json, "retrieval_weight", 0, where);
  from.budget = get_or<std::string>(json, "budget", "", where);
  from.search = get_or<std::string>(json, "search", "", where);
  return from;
}

Predicted read_predicted(const Json& json, const std::string& where) {
  refuse_unknown_keys(json,
                      {"loss", "loss_by", "measured_loss", "context", "kv_bytes", "kv_bytes_per_token", "kv_fraction",
                       "speedup", "speedup_batch", "speedup_context"},
                      where);
  Predicted predicted;
  predicted.loss = get<double>(json, "loss", where);
  predicted.loss_by = get_or<std::string>(json, "loss_by", "", where);
  if (json.contains("measured_loss")) predicted.measured_loss = get<double>(json, "measured_loss", where);
  predicted.context = read_count(json, "context", 1, where);
  predicted.kv_bytes = get<std::int64_t>(json, "kv_bytes", where);
  predicted.kv_bytes_per_token = get<double>(json, "kv_bytes_per_token", where);
  predicted.kv_fraction = get<double>(json, "kv_fraction", where);
  if (json.contains("speedup")) {
    predicted.speedup = get<double>(json, "speedup", where);
    predicted.speedup_batch = read_count(json, "speedup_batch", 1, where);
    predicted.speedup_context = read_count(json, "speedup_context", 1, where);
  }
  return predicted;
}

MapsFile read_maps_entry(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"file", "hash"}, where);
  MapsFile maps = {get<std::string>(json, "file", where), get<std::string>(json, "hash", where)};
  if (maps.file.empty() || fs::path(maps.file).filename() != fs::path(maps.file) ||
      maps.file.find('\0') != std::string::npos)
    fail("{}: \"file\" is {}; it must be the name of a file beside the plan", where, in_quotes(maps.file));
  return maps;
}

void check_maps(const Plan& plan, const std::string& file) {
  const auto uses_map = [](const PlanLayer& layer) { return descriptor_of(layer.mixer.kind).fitted_map; };
  const auto first = std::find_if(plan.layers.begin(), plan.layers.end(), uses_map);
  if (first != plan.layers.end() && !plan.maps)
    fail("{}: layer {}: \"mixer\" is \"{}\", but the plan has no key \"maps\" that names a file with its parameters",
         file, first - plan.layers.begin(), name_of(first->mixer.kind));
}

}  // namespace

Plan read_plan(const fs::path& path) {
  const std::string file = path.string();
  const Json json = parse_json(read_file_or_pipe(path), path.string(), {.keys_once = true});
  check_format(json, plan_format, plan_version, file);
  refuse_unknown_keys(json, {"format", "version", "model", "made_from", "layers", "predicted", "maps"}, file);
  Plan plan;
  const Json model = get<Json>(json, "model", file);
  refuse_unknown_keys(model, {"name", "hash"}, file + ": model");
  plan.model_hash = get<std::string>(model, "hash", file + ": model");
  plan.model_name = get_or<std::string>(model, "name", "a model", file + ": model");
  plan.layers = read_layers(get<Json>(json, "layers", file), file);
  if (json.contains("made_from")) plan.made_from = read_made_from(json["made_from"], file + ": made_from");
  if (json.contains("predicted")) plan.predicted = read_predicted(json["predicted"], file + ": predicted");
  if (json.contains("maps")) plan.maps = read_maps_entry(json["maps"], file + ": maps");
  check_maps(plan, file);
  return plan;
}

void write_plan(const fs::path& path, const Plan& plan) {
  Json json = {{"format", plan_format}, {"version", plan_version}};
  json["model"] = {{"name", plan.model_name}, {"hash", plan.model_hash}};
  if (plan.made_from) json["made_from"] = to_json(*plan.made_from);
  json["layers"] = Json::array();
  for (std::size_t l = 0; l < plan.layers.size(); ++l) json["layers"].push_back(to_json(l, plan.layers[l]));
  if (plan.predicted) json["predicted"] = to_json(*plan.predicted);
  if (plan.maps) json["maps"] = {{"file", plan.maps->file}, {"hash", plan.maps->hash}};
  write_file(path, layout_lines(json));
}

}  // namespace layerboost
