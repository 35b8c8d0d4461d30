#include "export/export.h"

#include "artifact/exported_directory.h"
#include "base/error.h"
#include "base/json.h"
#include "export/card.h"
#include "export/code.h"
#include "export/config.h"
#include "export/tokenizer.h"
#include "export/weights.h"
#include "model/safetensors_writer.h"

namespace layerboost {
namespace {

/// The plan for the model in `directory`, with the parameters of its mixers.
void export_plan(const ExportSource& source, const fs::path& directory) {
  const fs::path file = directory / plan_file_name;
  Plan plan = source.plan;
  plan.model_hash = open_checkpoint(directory)->hash();
  plan.maps.reset();
  if (!source.parameters.empty()) {
    SafetensorsWriter writer;
    for (const auto& [name, parameter] : source.parameters)
      writer.add(name, parameter.shape, parameter.values, DType::f32);
    const fs::path maps = maps_beside(file);
    writer.write(maps);
    plan.maps = MapsFile{maps.filename().string(), file_hash(maps)};
  }
  write_plan(file, plan);
}

/// A card and a licence are files that other directories have, too: a source tree, say.
void check_no_others_files(const fs::path& directory) {
  const bool ours = is_exported_directory(directory) || fs::exists(directory / "modeling_layerboost.py");
  for (const char* const name : {"README.md", "LICENSE"})
    if (!ours && fs::exists(directory / name))
      fail("{} has a {} that isn't an exported model's; give a new directory", directory.string(), name);
}

}  // namespace

void export_model(const ExportSource& source, const fs::path& directory, std::size_t shard_bytes) {
  if (!source.checkpoint.config().attention.empty())
    fail("{}: is an exported model already; export the directory that it was made from", source.path.string());
  const fs::path config_file = directory / "config.json";
  if (fs::exists(config_file) && !is_exported_directory(directory))
    fail("{}: holds another model; give a new directory", directory.string());
  check_no_others_files(directory);
  const Config exported = exported_config(source);
  fs::remove(config_file);  // until all is written, it is no model
  export_weights(source, exported, directory, shard_bytes);
  for (const Asset& file : export_code())
    if (file.name.ends_with(".py")) write_file(directory / file.name, file.bytes);
  write_file(directory / "README.md",
             model_card(source, exported, export_license(source.path, source.checkpoint.config(), directory)));
  const Json tokens = export_tokenizer(source.checkpoint, source.path, exported.max_positions, directory);
  write_json(config_file, export_config_json(source, exported, tokens));
  export_plan(source, directory);
}

}  // namespace layerboost
