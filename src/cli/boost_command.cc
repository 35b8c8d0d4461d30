// The main job: from a model to a plan and a page that shows what it changes. Each step leaves a file in DIR and is not
// done again while that file is what the same inputs would make.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/analyze_options.h"
#include "cli/boost_directory.h"
#include "cli/boost_healing.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/model_argument.h"
#include "cli/model_store.h"
#include "cli/plan_options.h"
#include "cli/speed_report.h"
#include "cli/terminal.h"
#include "eval/quality.h"
#include "eval/self_text.h"
#include "eval/subject.h"
#include "heal/healed_directory.h"
#include "plan/plan_strip.h"
#include "report/report.h"

namespace layerboost {
namespace {

struct BoostFlags {
  CommonOptions common;
  std::string model, output;
  std::string heal;  // --heal; empty: not given
  AnalyzeOptions analyze;
  PlanOptions plan;
  QualityOptions quality;
  SpeedOptions speed{{1, 16, 64}, {256, 1024}, 32};
};

class Boost {
 public:
  explicit Boost(const BoostFlags& options) : options_(options), directory_(options.output) {}

  void run() {
    run_ = start_run(options_.common);
    if (!options_.heal.empty()) budget_ = parse_heal_budget(options_.heal);
    open();
    analyze();
    plan();
    heal();
    quality();
    speed();
    write_report(directory_);
    if (!options_.common.json.empty()) write_json(options_.common.json, summary());
    fmt::print("\nthe page: {}\n", fs::absolute(file("report.html")).string());
  }

 private:
  [[nodiscard]] fs::path file(const char* name) const { return directory_ / name; }

  void open() {
    const fs::path model_path = fs::absolute(find_model(options_.model));
    opened_ = open_original_model(options_.model, options_.common.precision, "boost");
    run_.model = opened_.model->hash;
    if (is_boost_directory(directory_) && read_boost_directory(directory_).model_hash != run_.model)
      fail("{} was made from another model: give another -o, or remove it", directory_.string());
    write_boost_directory(directory_, {opened_.model->config.name, model_path, run_.model}, run_.to_json());
    find_ready_made_plan();
  }

  /// What comes with the program is used where nothing else is asked for, and no other plan is there.
  void find_ready_made_plan() {
    const PlanOptions& plan = options_.plan;
    const bool asked = plan.softmax || plan.none || plan.kv || !plan.speedup.empty() || !plan.thresholds.empty() ||
                       plan.by_removal || !plan.middle.empty() || !plan.keep.empty() || plan.retrieval_weight ||
                       !options_.heal.empty();
    if (asked) return;
    ready_made_ = find_ready_made(models_directory(), run_.model);
    if (!ready_made_ || !fs::exists(file("plan.json"))) return;
    const std::string hash = read_healed_directory(*ready_made_).plan_hash;
    if (read_plan(file("plan.json")).hash() == hash) return;
    note("{}: another plan than the ready-made one is there, and kept", file("plan.json").string());
    ready_made_.reset();
  }

  void analyze() {
    note("1/6 analyze: what each layer's attention is worth");
    run_analysis(opened_, options_.analyze, options_.common.seed, file("analysis.json"), run_);
  }

  /// A plan that is there already is kept, hand-made changes and all, while analysis and flags are the same.
  void plan() {
    note("2/6 plan: which mixer each layer gets");
    if (ready_made_)
      use_ready_made();
    else
      choose_plan();
    const Plan chosen = read_plan(file("plan.json"), opened_.model->config, run_.model);
    run_.plan = chosen.hash();
    planned_ = open_model_argument(options_.model, file("plan.json").string(), options_.common.precision);
    fmt::print("{}\n", draw_plan(chosen.specs(), color_wanted()));
  }

  void use_ready_made() {
    copy_healed(*ready_made_, directory_, opened_.model->path);
    draw_ready_made_curve();
    note("the plan and what healing learnt come ready-made from {}; for others: --kv, --speedup, ... or --heal",
         ready_made_->string());
  }

  void draw_ready_made_curve() {
    const std::vector<MixerSpec> specs = read_plan(file("plan.json"), opened_.model->config, run_.model).specs();
    const std::vector<MixerSpec> analysed = read_analysis(file("analysis.json")).choices;
    fs::remove(file("curve.json"));  // for another plan
    const auto known = [&](const MixerSpec& spec) {
      return spec.kind == MixerKind::softmax || std::find(analysed.begin(), analysed.end(), spec) != analysed.end();
    };
    if (!std::all_of(specs.begin(), specs.end(), known)) {
      note("no curve of loss against memory: the analysis leaves out mixers that the plan has");
      return;
    }
    PlanOptions options = options_.plan;
    options.model = opened_.model->path.string();
    write_json(file("curve.json"), make_curve(file("analysis.json"), options, specs, options_.common.precision, run_));
  }

  void choose_plan() {
    PlanOptions options = options_.plan;
    options.model = opened_.model->path.string();
    options.text = options_.analyze.text;
    const std::string inputs =
        inputs_of({read_json(file("analysis.json"))["layers"], options.softmax.value_or(-1), options.none.value_or(-1),
                   options.kv.value_or(-1), options.speedup, options.thresholds, options.by_removal, options.middle,
                   options.keep, options.search, options.retrieval_weight.value_or(-1), options.measurements});
    if (!fs::exists(file("plan.json")) || !made_from(file("curve.json"), inputs)) {
      Json curve = make_plan(file("analysis.json"), options, file("plan.json"), options_.common.precision, run_).curve;
      curve["inputs"] = inputs;
      write_json(file("curve.json"), curve);
    }
  }

  /// A directory that is healed already, by the program or by hand, stays so unless --heal says otherwise.
  void heal() {
    note("3/6 heal: what the plan lost is learnt again");
    if (budget_ && !budget_->none()) {
      HealOptions options;
      options.text = {options_.analyze.text.empty() ? "self" : options_.analyze.text};
      options.seed = options_.common.seed;
      options.length = std::min(options.length, opened_.model->config.max_positions);
      const bool quantised = options_.common.precision == Precision::int8;
      const auto unquantised = quantised ? load_model(opened_.model->path, Precision::bf16) : nullptr;
      heal_boosted(quantised ? *unquantised : *opened_.model, directory_, *budget_, options, run_);
    }
    healed_ = is_healed_directory(directory_) && !(budget_ && budget_->none()) &&
              read_healed_directory(directory_).plan_hash == run_.plan;
    if (!healed_) note("not healed; --heal 10M (tokens) or --heal 20min does that");
  }

  void quality() {
    note("4/6 eval: what is lost");
    QualityOptions quality = options_.quality;
    quality.tasks = options_.analyze.tasks;
    quality.limit = options_.analyze.limit;
    quality.seed = options_.common.seed;
    if (quality.text.empty()) quality.text = written_text().string();
    const Json what = {quality.text, quality.tasks, quality.passkey, quality.limit, quality.context};
    step("quality.base.json", {run_.model, what}, [&] {
      return to_json(show(measure_quality({*opened_.model, opened_.unchanged()}, nullptr, quality)));
    });
    step("quality.plan.json", {run_.plan, what}, [&] {
      const ModelWithMixers unchanged{*planned_.model, planned_.unchanged()};
      return to_json(show(measure_quality(planned_.run(), &unchanged, quality)));
    });
    if (!healed_) {
      fs::remove(file("quality.healed.json"));
      return;
    }
    const OpenedModel healed = open_model_argument(directory_, "", options_.common.precision);
    run_.adapter = healed.adapter_hash;
    step("quality.healed.json", {run_.plan, run_.adapter, what}, [&] {
      const ModelWithMixers unchanged{*opened_.model, opened_.unchanged()};
      return to_json(show(measure_quality(healed.run(), &unchanged, quality)));
    });
    run_.adapter.clear();
  }

  void speed() {
    note("5/6 bench: what is won");
    const Json what = {options_.speed.batches, options_.speed.prompts, options_.speed.generate};
    step("speed.base.json", {run_.model, what},
         [&] { return measure_speed(opened_, opened_.unchanged(), options_.speed); });
    step("speed.plan.json", {run_.plan, what},
         [&] { return measure_speed(planned_, planned_.list(), options_.speed); });
    note("6/6 report");
  }

  /// Text that the model writes, from another seed than the calibration's.
  fs::path written_text() {
    fs::path path = file("written.txt");
    if (fs::exists(path)) return path;
    Subject subject(*opened_.model, opened_.unchanged());
    constexpr int sequences = 16;
    std::string text;
    for (const auto& tokens : self_text(subject, {sequences, options_.quality.context, options_.common.seed + 1}))
      text += opened_.model->text().decode(tokens, true) + "\n";
    write_file(path, text);
    return path;
  }

  template <typename Make>
  void step(const char* name, const Json& what, const Make& make) {
    const std::string inputs = inputs_of(what);
    if (made_from(file(name), inputs)) return;
    Json json = {{"run", run_.to_json()}, {"inputs", inputs}};
    json.update(make());
    write_json(file(name), json);
  }

  static QualityReport show(QualityReport report) {
    fmt::print("{}", to_table(report));
    return report;
  }

  /// The identity of what a file is made from: its inputs, the precision and the version.
  [[nodiscard]] std::string inputs_of(const Json& what) const {
    return "sha256:" + sha256(Json{what, run_.precision, run_.seed, LAYERBOOST_VERSION}.dump());
  }

  static bool made_from(const fs::path& path, const std::string& inputs) {
    return fs::exists(path) && get_or<std::string>(read_json(path), "inputs", "", path.string()) == inputs;
  }

  [[nodiscard]] Json summary() const {
    Json json = {{"run", run_.to_json()}};
    for (const char* name : {"plan.json", "quality.base.json", "quality.plan.json", "quality.healed.json",
                             "speed.base.json", "speed.plan.json"})
      if (fs::exists(file(name))) json[fs::path(name).stem().string()] = read_json(file(name));
    return json;
  }

  const BoostFlags& options_;
  const fs::path directory_;
  RunInfo run_;
  std::optional<HealBudget> budget_;    // no value: not asked for
  std::optional<fs::path> ready_made_;  // the healed directory to use
  bool healed_ = false;
  OpenedModel opened_, planned_;
};

}  // namespace

void add_boost_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("boost", "The main job: analyze, plan, heal, eval, bench and report in one go");
  const auto options = std::make_shared<BoostFlags>();
  options->analyze.tokens = 8 * 1024;
  options->analyze.windows = {64, 256, 512};
  options->plan.search = "joint";
  options->plan.measurements = 24;
  options->quality.passkey = {512, 1024};
  command->add_option("MODEL", options->model, "A GGUF file, a model directory, or a name")->required()->type_name("");
  command->add_option("-o,--output", options->output, "Where everything goes; an unfinished job goes on")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--heal", options->heal,
                   "How long to heal: tokens (10M), time (20min), or 0; default: what comes ready-made, else 0")
      ->type_name("N|TIME");
  add_analyze_options(*command, options->analyze);
  add_plan_options(*command, options->plan);
  command->add_option("--eval-text", options->quality.text, "Text for perplexity; default: text that the model writes")
      ->type_name("FILE");
  command->add_option("--passkey", options->quality.passkey, "Lengths for passkey retrieval")
      ->delimiter(',')
      ->type_name("N,..")
      ->capture_default_str();
  command->add_option("--batch", options->speed.batches, "Sequences at once, for bench")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(1, 4096))
      ->capture_default_str();
  command->add_option("--prompt", options->speed.prompts, "Tokens of prompts, for bench")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(1, 1 << 24))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->footer(
      "DIR then holds analysis.json, plan.json (to read and edit by hand), the adapter that healing learnt, quality "
      "and "
      "speed with and without them, and report.html;\n"
      "it can be given as MODEL to eval, bench, generate and info. The same command goes on where it stopped.\n\n"
      "Examples:\n"
      "  layerboost boost smollm2-135m -o out\n"
      "  layerboost boost model.gguf -o out --kv 0.3 --heal 20min\n"
      "  layerboost boost model.gguf -o out --kv 0.3 --search joint --tasks arc_easy.jsonl,piqa.jsonl --limit 500\n"
      "  layerboost boost models/llama -o out --speedup 1.5@64x1024 --text corpus.jsonl --eval-text book.txt");
  command->callback([options] { Boost(*options).run(); });
}

}  // namespace layerboost
