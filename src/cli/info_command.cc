#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "app/ladder_table.h"
#include "app/model_facts.h"
#include "app/plan_strip.h"
#include "artifact/healed_directory.h"
#include "artifact/ladder.h"
#include "artifact/model_files.h"
#include "artifact/plan.h"
#include "base/in_quotes.h"
#include "base/json.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "mixer/mixers.h"
#include "model/checkpoint.h"

namespace layerboost {
namespace {

struct InfoFlags {
  CommonOptions common;
  std::string what;
  int context = 2048;
};

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.2f} MB", bytes / 1e6);
  return fmt::format("{:.1f} KB", bytes / 1e3);
}

std::vector<std::string> written(const std::vector<MixerSpec>& specs) {
  std::vector<std::string> words;
  for (const MixerSpec& spec : specs) words.push_back(to_string(spec));
  return words;
}

Json describe_model(const Config& c, const std::string& hash) {
  return {{"name", c.name},
          {"hash", hash},
          {"arch", c.arch},
          {"layers", c.layers},
          {"hidden", c.hidden},
          {"heads", c.heads},
          {"kv_heads", c.kv_heads},
          {"head_size", c.head_size},
          {"ffn", c.ffn},
          {"vocab", c.vocab},
          {"max_positions", c.max_positions},
          {"longest_text", c.longest_text()},
          {"parameters", count_parameters(c).all()}};
}

void print_model(const Config& c, const std::string& hash) {
  const ParameterCounts parameters = count_parameters(c);
  const auto millions = [](std::int64_t n) { return static_cast<double>(n) / 1e6; };
  fmt::print("model     {} ({})\nhash      {}\n", printable(c.name), c.arch, hash);
  fmt::print(
      "shape     {} layers, hidden {}, {} heads of {} ({} for keys and values), MLP {}, vocabulary {}, {} positions\n",
      c.layers, c.hidden, c.heads, c.head_size, c.kv_heads, c.ffn, c.vocab, c.max_positions);
  if (c.longest_text() > c.max_positions)
    fmt::print("texts     of up to {} tokens; beyond {} each token that is written has the whole text read anew\n",
               c.longest_text(), c.max_positions);
  fmt::print("weights   {:.1f} M: attention {:.1f} M, MLPs {:.1f} M, embeddings {:.1f} M\n", millions(parameters.all()),
             millions(parameters.attention), millions(parameters.mlps), millions(parameters.embeddings));
}

/// Of windows that the model has without a plan. Where most of the memory is in other layers, plans have these to win.
Json describe_windows(const OwnWindows& own) {
  return {{"layers", own.layers}, {"longest", own.longest}, {"kept_by_others", own.others}};
}

Json describe_memory(const Config& config, const std::vector<MixerSpec>& specs, int context) {
  const double bytes = cache_bytes(config, specs, context);
  return {{"context", context},
          {"bytes", bytes},
          {"bytes_per_token", bytes / context},
          {"fraction", bytes / cache_bytes(config, unchanged_specs(config), context)}};
}

/// `specs` may be the model's own.
void print_memory(const Config& config, const std::vector<MixerSpec>& specs, int context) {
  const double own = cache_bytes(config, unchanged_specs(config), context);
  const double bytes = cache_bytes(config, specs, context);
  fmt::print("memory    {} of keys and values (16-bit) for a sequence of {} positions, {} per token", bytes_text(bytes),
             context, bytes_text(bytes / context));
  if (bytes != own) fmt::print("; {:.1f} % of the unchanged {}", bytes / own * 100, bytes_text(own));
  fmt::print("\n");
}

/// Says how a plan was made, as far as that is known: plans written by hand may say less than the planner's.
std::string describe(const MadeFrom& made) {
  std::vector<std::string> parts;
  if (!made.analysis.empty()) parts.push_back("from " + made.analysis);
  if (!made.measure.empty())
    parts.push_back("by " + made.measure +
                    (made.retrieval_weight > 0 ? fmt::format(" + {:g} retrieval", made.retrieval_weight) : ""));
  if (!made.budget.empty()) parts.push_back(made.budget);
  if (!made.search.empty()) parts.push_back(made.search + " search");
  return fmt::to_string(fmt::join(parts, ", "));
}

void print_plan(const Plan& plan) {
  fmt::print("plan      {}\n", plan.hash());
  fmt::print("for       {} ({})\n", printable(plan.model_name), printable(plan.model_hash));
  const std::string made = plan.made_from ? describe(*plan.made_from) : "";
  if (!made.empty()) fmt::print("made      {}\n", printable(made));
  fmt::print("\n{}\n", draw_plan(plan.specs(), color_wanted()));
}

void print_predicted(const Predicted& predicted) {
  fmt::print("predicted loss {:.4f}", predicted.loss);
  if (predicted.measured_loss) fmt::print(", measured {:.4f}", *predicted.measured_loss);
  fmt::print("; {:.1f} % of the cache at {} positions", predicted.kv_fraction * 100, predicted.context);
  if (predicted.speedup)
    fmt::print("; {:.2f} times as fast, decoding {} sequences of {}", *predicted.speedup, predicted.speedup_batch,
               predicted.speedup_context);
  fmt::print("\n");
}

Json describe_plan(const Plan& plan) {
  return {{"hash", plan.hash()}, {"model", plan.model_hash}, {"mixers", written(plan.specs())}};
}

/// What healing changed, from heal.json's figures.
void print_healing(const HealedDirectory& healed, const Adapter& adapter, const std::string& where) {
  fmt::print("adapter   {}, rank {}\n", printable(healed.adapter_hash), adapter.rank);
  const Json& figures = healed.figures;
  const auto tokens = get_or<double>(figures, "tokens", static_cast<double>(adapter.tokens), where);
  fmt::print("healed    on {:.2f} M tokens in {} steps", tokens / 1e6,
             get_or<std::int64_t>(figures, "steps", adapter.step, where));
  if (figures.contains("best_step")) fmt::print(", best after step {}", get<std::int64_t>(figures, "best_step", where));
  fmt::print("\n");
  if (!figures.contains("before") || !figures.contains("after")) return;
  const auto before = get<Json>(figures, "before", where), after = get<Json>(figures, "after", where);
  const auto number = [&](const Json& of, const char* key) { return get_or<double>(of, key, 0, where); };
  fmt::print("held out  kl {:.4f} -> {:.4f}, perplexity {:.3f} -> {:.3f} (unchanged {:.3f})", number(before, "kl"),
             number(after, "kl"), number(before, "perplexity"), number(after, "perplexity"),
             number(after, "teacher_perplexity"));
  for (const auto& [key, name] : {std::pair{"found", "facts"}, std::pair{"passkey", "passkeys"}})
    if (before.contains(key) && after.contains(key))
      fmt::print(", {} {:.0f} -> {:.0f} %", name, 100 * number(before, key), 100 * number(after, key));
  fmt::print("\n");
}

void print_ladder(const Ladder& ladder) {
  fmt::print("ladder    {} for {} ({})\n\n", rungs_text(ladder.top()), printable(ladder.model_name, 80),
             printable(ladder.model_hash, 80));
  fmt::print("{}\n{}", draw_ladder(ladder, color_wanted()), describe_measured(ladder));
}

Json describe_ladder(const Ladder& ladder) {
  Json levels = Json::array();
  for (int level = 0; level <= ladder.top(); ++level) {
    Json& json = levels.emplace_back(Json{{"level", level}, {"mixers", written(ladder.specs(level))}});
    const auto& quality = ladder.quality[static_cast<std::size_t>(level)];
    if (level > 0) json["rung"] = to_string(ladder.rungs[static_cast<std::size_t>(level - 1)]);
    if (!quality) continue;
    json["kl"] = quality->kl;
    json["perplexity_ratio"] = quality->perplexity_ratio;
    json["kept"] = quality->kept();
    json["kv_fraction"] = quality->kv_fraction;
    if (quality->speedup) json["speedup"] = *quality->speedup;
    if (quality->decode_speed) json["decode_speed"] = *quality->decode_speed;
  }
  return {{"model", ladder.model_hash}, {"levels", levels}};
}

/// A model, alone or with a plan, or healed, or with a ladder.
Json show_model(const ModelFiles& files, int context) {
  check_ladder_fault(files);
  check_model_hash(files);
  const Config& config = files.checkpoint->config();
  const std::string hash = files.checkpoint->hash();
  std::optional<PlannedFiles> planned;
  if (!files.plan.empty()) planned = read_planned_files(files);
  Json json = {{"model", describe_model(config, hash)}};
  print_model(config, hash);
  if (const OwnWindows own = own_windows(config, context); !own.layers.empty()) {
    fmt::print("windows   {}\n", own.text(config.layers));
    json["windows"] = describe_windows(own);
  }
  std::vector<MixerSpec> specs = native_specs(config);
  if (planned) {
    const Plan& plan = planned->plan;
    specs = plan.specs();
    json["plan"] = describe_plan(plan);
    print_plan(plan);
    if (plan.predicted) print_predicted(*plan.predicted);
    if (planned->adapter) {
      const HealedDirectory healed = read_healed_directory(files.adapter.parent_path());
      print_healing(healed, *planned->adapter, files.where);
      json["healing"] = {{"adapter", healed.adapter_hash}, {"options", healed.options}, {"figures", healed.figures}};
    }
  } else if (files.ladder == nullptr) {
    fmt::print("\n{}\n", draw_plan(specs, color_wanted()));
  }
  print_memory(config, specs, context);
  json["memory"] = describe_memory(config, specs, context);
  if (files.ladder != nullptr) {
    check_ladder(*files.ladder, config, hash, ladder_file(fs::path(files.where).parent_path()).string());
    print_ladder(*files.ladder);
    json["ladder"] = describe_ladder(*files.ladder);
  }
  return json;
}

/// A plan or a ladder without its model.
Json show_plan(const fs::path& path) {
  if (path == ladder_file(path.parent_path())) {
    const Ladder ladder = read_ladder(path);
    print_ladder(ladder);
    return {{"ladder", describe_ladder(ladder)}};
  }
  const Plan plan = read_plan(path);
  print_plan(plan);
  if (plan.predicted) print_predicted(*plan.predicted);
  return {{"plan", describe_plan(plan)}};
}

bool is_plan(const fs::path& path) {
  std::error_code ignored;
  return path.extension() == ".json" && fs::is_regular_file(path, ignored);
}

void info(const InfoFlags& options) {
  const RunInfo run = start_run(options.common);
  Json json =
      is_plan(options.what) ? show_plan(options.what) : show_model(find_model_files(options.what, ""), options.context);
  if (options.common.json.empty()) return;
  json["run"] = run.to_json();
  write_json(options.common.json, json);
}

}  // namespace

void add_info_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("info", "Show a model, a plan or a ladder: shapes, mixers, memory, hashes");
  const auto options = std::make_shared<InfoFlags>();
  command->add_option("WHAT", options->what, "A model, a plan, or a directory that boost, heal, ladder or export wrote")
      ->required()
      ->type_name("MODEL|PLAN|DIR");
  command->add_option("--context", options->context, "Positions of the sequence whose memory is shown")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  add_json_option(*command, options->common);
  command->footer(
      "Draws one cell for each layer, in colour on a terminal (NO_COLOR is respected).\n\n"
      "Examples:\n"
      "  layerboost info smollm2-135m\n"
      "  layerboost info plan.json\n"
      "  layerboost info ladder\n"
      "  layerboost info healed --context 8192");
  command->callback([command, options] {
    if (is_plan(options->what)) refuse_given(*command, {"--context"}, "is for a model: a plan alone has no memory");
    info(*options);
  });
}

}  // namespace layerboost
