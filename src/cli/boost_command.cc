// The main job: from a model to a plan and a page that shows what it changes. Each step leaves a file in DIR and is not
// done again while that file is what the same inputs would make.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/analyze_options.h"
#include "cli/boost_directory.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_argument.h"
#include "cli/model_store.h"
#include "cli/plan_options.h"
#include "cli/speed_report.h"
#include "cli/terminal.h"
#include "eval/quality.h"
#include "eval/self_text.h"
#include "eval/subject.h"
#include "plan/plan_strip.h"
#include "report/report.h"

namespace layerboost {
namespace {

struct Options {
  CommonOptions common;
  std::string model, output;
  AnalyzeOptions analyze;
  PlanOptions plan;
  QualityOptions quality;
  SpeedOptions speed{{1, 16, 64}, {256, 1024}, 32};
};

class Boost {
 public:
  explicit Boost(const Options& options) : options_(options), directory_(options.output) {}

  void run() {
    run_ = start_run(options_.common);
    open();
    analyze();
    plan();
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
  }

  void analyze() {
    note("1/5 analyze: what each layer's attention is worth");
    run_analysis(opened_, options_.analyze, options_.common.seed, file("analysis.json"), run_);
  }

  /// A plan that is there already is kept, hand-made changes and all, while analysis and flags are the same.
  void plan() {
    note("2/5 plan: which mixer each layer gets");
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
    const Plan chosen = read_plan(file("plan.json"), opened_.model->config, run_.model);
    run_.plan = chosen.hash();
    planned_ = open_model_argument(options_.model, file("plan.json").string(), options_.common.precision);
    fmt::print("{}\n", draw_plan(chosen.specs(), color_wanted()));
  }

  void quality() {
    note("3/5 eval: what is lost");
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
  }

  void speed() {
    note("4/5 bench: what is won");
    const Json what = {options_.speed.batches, options_.speed.prompts, options_.speed.generate};
    step("speed.base.json", {run_.model, what},
         [&] { return measure_speed(opened_, opened_.unchanged(), options_.speed, false); });
    step("speed.plan.json", {run_.plan, what},
         [&] { return measure_speed(planned_, planned_.list(), options_.speed, false); });
    note("5/5 report");
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
    for (const char* name :
         {"plan.json", "quality.base.json", "quality.plan.json", "speed.base.json", "speed.plan.json"})
      json[fs::path(name).stem().string()] = read_json(file(name));
    return json;
  }

  const Options& options_;
  const fs::path directory_;
  RunInfo run_;
  OpenedModel opened_, planned_;
};

}  // namespace

void add_boost_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("boost", "The main job: analyze, plan, eval, bench and report in one go");
  const auto options = std::make_shared<Options>();
  options->analyze.tokens = 8 * 1024;
  options->plan.search = "joint";
  options->plan.measurements = 24;
  options->quality.passkey = {512, 1024};
  command->add_option("MODEL", options->model, "A GGUF file, a model directory, or a name")->required()->type_name("");
  command->add_option("-o,--output", options->output, "Where everything goes; an unfinished job goes on")
      ->required()
      ->type_name("DIR");
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
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--prompt", options->speed.prompts, "Tokens of prompts, for bench")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->footer(
      "DIR then holds analysis.json, plan.json (to read and edit by hand), quality and speed with and without it, and "
      "report.html;\n"
      "it can be given as MODEL to eval, bench, generate and info. The same command goes on where it stopped.\n\n"
      "Examples:\n"
      "  layerboost boost smollm2-135m -o out\n"
      "  layerboost boost model.gguf -o out --kv 0.3 --search joint --tasks arc_easy.jsonl,piqa.jsonl --limit 500\n"
      "  layerboost boost models/llama -o out --speedup 1.5@64x1024 --text corpus.jsonl --eval-text book.txt");
  command->callback([options] { Boost(*options).run(); });
}

}  // namespace layerboost
