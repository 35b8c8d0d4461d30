#include "export/card.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "mixer/descriptor.h"
#include "mixer/mixers.h"
#include "model/hub_folder.h"

namespace layerboost {
namespace {

/// A name out of somebody else's file, fit for Markdown.
std::string plain(std::string_view name) {
  constexpr std::size_t longest = 100;
  std::string text;
  for (const char c : name.substr(0, longest)) {
    const bool special =
        static_cast<unsigned char>(c) <= ' ' || std::string_view("\x7f`<>|[]*#\\\"").find(c) != std::string_view::npos;
    if (!special)
      text += c;
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

/// "ORG/NAME" of a model in a cache of a hub's, ours or Hugging Face's; empty: it lies elsewhere.
std::string hub_name(const fs::path& model) {
  const fs::path folder = fs::absolute(fs::is_directory(model) ? model : model.parent_path());
  for (const fs::path& part : folder)
    if (std::string name = name_of_hub_folder(part.string()); !name.empty()) return name;
  const fs::path name = folder.lexically_relative(cache_dir() / "models").lexically_normal();
  return std::distance(name.begin(), name.end()) == 2 && *name.begin() != ".." ? name.generic_string() : "";
}

std::string metadata(const ExportSource& source, const BaseLicense& license) {
  std::string text = "---\n";
  if (!license.id.empty()) text += fmt::format("license: {}\n", license.id);
  if (const std::string name = plain(hub_name(source.path)); !name.empty())
    text += fmt::format("base_model: {}\n", name);
  return text + "library_name: transformers\npipeline_tag: text-generation\ntags:\n- layerboost\n---\n";
}

std::string mixers(const ExportSource& source) {
  std::vector<std::pair<MixerSpec, std::vector<std::size_t>>> layers;  // in the order that they come in
  for (std::size_t layer = 0; layer < source.plan.layers.size(); ++layer) {
    const MixerSpec& spec = source.plan.layers[layer].mixer;
    const auto found = std::find_if(layers.begin(), layers.end(), [&](const auto& one) { return one.first == spec; });
    if (found == layers.end())
      layers.push_back({spec, {layer}});
    else
      found->second.push_back(layer);
  }
  std::string text = "| mixer | layers | |\n|---|---|---|\n";
  for (const auto& [spec, numbers] : layers)
    text += fmt::format("| {} | {} | {} |\n", to_string(spec), fmt::join(numbers, ", "),
                        descriptor_of(spec.kind).exported.meaning);
  return text;
}

std::string memory(const ExportSource& source, const Config& exported) {
  Config base = exported;
  base.attention.clear();
  const int context = std::min(2048, base.max_positions);
  const auto bytes = [&](const std::vector<MixerSpec>& specs) {
    double sum = 0;
    for (const MixerSpec& spec : specs)
      sum += static_cast<double>(kv_bytes(base, spec, context, sizeof(std::uint16_t)));
    return sum;
  };
  const double kept = bytes(source.plan.specs()), all = bytes(native_specs(base));
  constexpr double mega = 1e6;
  return fmt::format(
      "Keys and values of a sequence of {} tokens take {:.2f} MB, {:.1f} % of the unchanged model's {:.2f} MB (numbers "
      "of 16 bits).\n",
      context, kept / mega, kept / all * 100, all / mega);
}

/// A row of the table of figures; empty where healing measured no such thing. `base`: of the unchanged model.
std::string figure(const Json& healing, const char* name, const char* key, const std::string& base, double factor) {
  const auto value = [&](const char* when) {
    const Json& measured = healing.contains(when) ? healing[when] : Json();
    const bool there = measured.is_object() && measured.contains(key) && measured[key].is_number();
    return there ? fmt::format("{:.4g}", measured[key].get<double>() * factor) : std::string();
  };
  const std::string before = value("before"), after = value("after");
  return before.empty() || after.empty() ? "" : fmt::format("| {} | {} | {} | {} |\n", name, before, after, base);
}

std::string figures(const Json& healing) {
  std::string perplexity;  // the unchanged model's
  if (healing.contains("after") && healing["after"].is_object() && healing["after"].contains("teacher_perplexity") &&
      healing["after"]["teacher_perplexity"].is_number())
    perplexity = fmt::format("{:.4g}", healing["after"]["teacher_perplexity"].get<double>());
  const std::string rows = figure(healing, "perplexity", "perplexity", perplexity, 1) +
                           figure(healing, "KL from the unchanged model, nats per token", "kl", "0", 1) +
                           figure(healing, "facts found in healing's own short check, %", "found", "", 100) +
                           figure(healing, "passkeys found in healing's own short check, %", "passkey", "", 100);
  if (rows.empty()) return "";
  std::string where = "held-out text";
  if (healing.contains("held_out") && healing["held_out"].is_string())
    where += fmt::format(" ({})", plain(healing["held_out"].get<std::string>()));
  return fmt::format(
      "## Figures\nMeasured while the model was healed, on {}:\n\n| | planned | planned and healed | unchanged "
      "|\n|---|---|---|---|\n{}\n",
      where, rows);
}

std::string level_figures(const LevelQuality& quality) {
  std::string rows = fmt::format("| perplexity | {:.4g}, {:.4g} times the unchanged model's |\n", quality.perplexity,
                                 quality.perplexity_ratio) +
                     fmt::format("| KL from the unchanged model, nats per token | {:.4g} |\n", quality.kl);
  for (const LevelRetrieval& one : quality.retrieval)
    rows += fmt::format("| facts found in {} tokens | {:.0f} %, {:.0f} % of what the unchanged model finds |\n",
                        one.length, 100 * one.found, 100 * one.kept);
  return "## Figures\nMeasured when the ladder was made:\n\n| | |\n|---|---|\n" + rows + "\n";
}

std::string licensing(const std::string& base, const BaseLicense& license) {
  std::string text = "## Licence\nThese weights are made from those of " + base;
  if (license.id.empty() && license.files.empty())
    return text + ", whose licence its files don't say. Look it up before you pass the model on.\n";
  if (!license.id.empty()) text += fmt::format(", whose licence is `{}`", license.id);
  if (license.files.empty()) return text + "; its text was not beside the model.\n";
  text += license.id.empty() ? ", under the licence in " : ": ";
  for (std::size_t i = 0; i < license.files.size(); ++i) text += (i > 0 ? ", " : "") + plain(license.files[i]);
  return text + ".\n";
}

}  // namespace

std::string model_card(const ExportSource& source, const Config& exported, const BaseLicense& license) {
  const std::string base = source.plan.model_name.empty() ? "a model without a name" : plain(source.plan.model_name);
  const auto& layers = source.plan.layers;
  const auto changed =
      std::count_if(layers.begin(), layers.end(), [](const PlanLayer& layer) { return layer.mixer != full_attention; });
  const bool healed = !source.adapter_hash.empty() || !source.learnt_hash.empty();
  return metadata(source, license) +
         fmt::format("# {}, {} by layerboost\n{} with another mixer than full attention in {} of its {} layers{}.\n\n",
                     base, healed ? "planned and healed" : "planned", base, changed, layers.size(),
                     healed ? ", distilled from the unchanged model" : "") +
         memory(source, exported) + "\n" + mixers(source) + "\n" +
         (source.quality != nullptr ? level_figures(*source.quality) : figures(source.healing)) +
         "## Use\n"
         "With transformers, which runs `modeling_layerboost.py` of this directory (read it first); its releases " +
         std::string(tested_transformers) +
         " are tested:\n\n"
         "```python\n"
         "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
         "tokenizer = AutoTokenizer.from_pretrained(DIR, trust_remote_code=True)\n"
         "model = AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True, dtype=\"auto\")\n"
         "```\n\n"
         "With layerboost, through OpenAI's API:\n\n"
         "```\n"
         "layerboost serve DIR\n"
         "```\n\n" +
         licensing(base, license);
}

}  // namespace layerboost
