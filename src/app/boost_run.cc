#include "app/boost_run.h"

#include <algorithm>
#include <optional>

#include "app/boost_estimate.h"
#include "app/boost_healing.h"
#include "app/boost_plan.h"
#include "app/boost_summary.h"
#include "app/plan_strip.h"
#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/model_files.h"
#include "artifact/model_store.h"
#include "artifact/opened_model.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/leftovers.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/terminal.h"
#include "eval/self_text.h"
#include "layerboost/version.h"
#include "model/tensor_names.h"
#include "plan/cost_calibration.h"
#include "report/report.h"

namespace layerboost {
namespace {

class Boost {
 public:
  Boost(BoostOptions options, const Print& print)
      : options_(std::move(options)), print_(print), directory_(options_.output) {}

  void run() {
    run_ = start_run(options_.compute);
    check_boost(options_);
    look();
    std::optional<FileLock> lock;
    if (!options_.estimate) {
      lock = lock_directory(directory_);
      remove_leftovers(directory_);
      remove_leftovers(directory_ / "checkpoint");
    }
    load();
    // Where a plan comes ready-made, none is made from the analysis.
    if (ready_made_)
      options_.analyze.by_gradients = estimates_to_show(*opened_.model, options_.analyze,
                                                        directory_.empty() ? fs::path() : file(boost_name::analysis));
    estimate();
    if (options_.estimate) return;
    try {
      work();
    } catch (...) {
      try {
        record();
      } catch (const Error&) {  // a full disk, perhaps: what ended the work is to be told
      }
      throw;
    }
  }

 private:
  template <typename... Values>
  void say(fmt::format_string<Values...> text, Values&&... values) const {
    print_(fmt::format(text, std::forward<Values>(values)...));
  }

  [[nodiscard]] fs::path file(const char* name) const { return directory_ / name; }
  [[nodiscard]] bool has(const char* name) const {
    std::error_code ignored;
    return !directory_.empty() && fs::exists(file(name), ignored);
  }

  // ---- before it begins

  /// Looks at the model's files and at what the directory holds, before anything is loaded.
  void look() {
    files_ = find_model_files(options_.model);
    const Config& config = files_.checkpoint->config();
    const std::string hash = files_.checkpoint->hash();
    about_ = {config.name, fs::absolute(files_.checkpoint->path()), hash, config.max_positions, {}, 0, 0};
    if (has(boost_name::record)) {
      const BoostDirectory found = read_boost_directory(directory_);
      if (found.model_hash != hash)
        fail("{} was made from another model: give another `output`, or remove it", directory_.string());
      about_.plan = found.plan;
      about_.seconds = seconds_before_ = found.seconds;
      about_.runs = found.runs;
    }
    ++about_.runs;
    fit_to_model(options_, config);
    if (!options_.plan_asked()) ready_made_ = find_ready_made(models_directory(), hash);
    std::optional<std::string> ready_hash;
    if (ready_made_) ready_hash = read_healed_directory(*ready_made_).plan_hash;
    wanted_plan_ = plan_options_json(options_, ready_hash);
    if (!directory_.empty())
      plan_is_there_ = keeps_plan(directory_, about_.plan, wanted_plan_, options_.plan_options_given());
    look_at_healing();
    check_weights(config);
  }

  /// What was healed there must be whole, or be made again.
  void look_at_healing() const {
    if (!is_healed_directory(directory_) || options_.unhealed()) return;
    const bool heals = options_.heal.has_value();
    if (plan_is_there_) {
      const std::string plan = read_plan(file(boost_name::plan)).hash();
      if (heals) check_healing(directory_, plan);
      if (read_healed_directory(directory_).plan_hash != plan) return;
    }
    if (heals || ready_made_ || is_intact(directory_)) return;
    fail("{}: what was healed there is missing a file or has changed: make it again with `heal`, or remove {}",
         directory_.string(), healed_file(directory_).string());
  }

  /// Weights that don't fit are noticed before they are read.
  void check_weights(const Config& config) const {
    double numbers = 0;
    for_each_tensor(config, [&](const std::string&, const std::vector<std::int64_t>& shape) {
      double product = 1;
      for (const std::int64_t size : shape) product *= static_cast<double>(size);
      numbers += product;
    });
    const Precision precision = options_.compute.precision;
    const double bytes = numbers * (precision == Precision::f32 ? 4 : precision == Precision::bf16 ? 2 : 1);
    if (const auto free = static_cast<double>(free_memory()); bytes > free)
      fail("{}: its weights take about {:.1f} GiB of memory in {}, and {:.1f} GiB are free", options_.model,
           bytes / (1 << 30), name_of(precision), free / (1 << 30));
  }

  void load() {
    opened_ = open_original_model(files_, options_.compute.precision, "boost");
    run_.model = opened_.model->hash;
    check_with_model(options_, *opened_.model, nullptr);
    const CostKey key = cost_key(run_.model, options_.compute.precision);
    auto known = read_cost(key);
    if (!known) {
      known = measure_cost(*opened_.model);
      write_cost(key, *known);
    }
    cost_ = *known;
    if (speed_target(options_.plan)) check_with_model(options_, *opened_.model, &cost_);
  }

  void estimate() {
    const Model& model = *opened_.model;
    BoostWork work;
    if (options_.heal) work.heal = *options_.heal;
    work.ready_made = ready_made_.has_value();
    work.healed = work.ready_made || options_.heals() || (!options_.unhealed() && is_healed_directory(directory_));
    const int texts = std::max(1, (options_.analyze.tokens + options_.analyze.length - 1) / options_.analyze.length);
    work.self_text_is_kept = fs::exists(self_text_path(model, {texts, options_.analyze.length, options_.compute.seed}));
    work.written_text_is_kept = has("written.txt") || fs::exists(self_text_path(model, written_options()));
    work.done = {analysis_is_done(), plan_is_there_,
                 is_healed_directory(directory_) && has(boost_name::quality_of_healed),
                 has(boost_name::quality_of_base) && has(boost_name::quality_of_plan),
                 has(boost_name::speed_of_base) && has(boost_name::speed_of_plan)};
    const auto steps =
        estimate_boost(options_, work, model, opened_.unchanged(), measure_times(model, *opened_.mixers, cost_));
    say("boost {} on this machine ({} threads, {}), by short runs of the model just now:\n{}", options_.model,
        run_.threads, run_.precision, to_table(steps));
    const std::size_t memory = free_memory() + resident_memory(), disk = disk_estimate(work, model.config);
    say("  {:.1f} GiB of memory are free or this program's own; the directory will take about {} MiB\n",
        static_cast<double>(memory) / (1 << 30), disk >> 20);
    if (!options_.estimate)
      check_room(steps, memory, directory_, disk);
    else if (!options_.json.empty())
      write_json(options_.json, {{"run", run_.to_json()}, {"estimate", to_json(steps)}, {"disk_bytes", disk}});
  }

  [[nodiscard]] bool analysis_is_done() const {
    try {
      return has(boost_name::analysis) && read_analysis(file(boost_name::analysis)).complete();
    } catch (const Error&) {  // the analysis itself will say what is wrong
      return false;
    }
  }

  // ---- the steps

  void work() {
    record();
    analyze();
    plan();
    heal();
    quality();
    speed();
    record();
    note("6/6 report");
    write_report(directory_);
    if (!options_.json.empty()) write_json(options_.json, summary());
    say("\n{}", boost_summary(directory_, opened_, planned_));
  }

  /// What a step's results say of how they were made: their seconds are its own.
  [[nodiscard]] RunInfo run_of_step() const {
    RunInfo run = run_;
    run.clock = Stopwatch();
    return run;
  }

  /// How long it has taken so far, for who stops it now.
  void record() {
    about_.seconds = seconds_before_ + run_.clock.seconds();
    RunInfo run = run_;
    run.plan.clear();
    run.adapter.clear();
    write_boost_directory(directory_, about_, run.to_json());
  }

  void analyze() {
    note("1/6 analyze: what each layer's attention is worth");
    run_analysis(opened_, options_.analyze, options_.compute.seed, file(boost_name::analysis), run_of_step());
    record();
  }

  /// A plan that is there already is kept, hand-made changes and all.
  void plan() {
    note("2/6 plan: which mixer each layer gets");
    // Who is killed while it is made finds whose it is.
    const bool own = !plan_is_there_ || (about_.plan.hash.empty() && about_.plan.options == wanted_plan_);
    if (own) about_.plan = {"", wanted_plan_};
    record();
    if (ready_made_) use_ready_made();
    if (!has(boost_name::plan)) {
      PlanOptions options = plan_options();
      make_plan(file(boost_name::analysis), options, file(boost_name::plan), options_.compute.precision, run_of_step(),
                opened_.model);
    }
    const Plan chosen = read_plan(file(boost_name::plan), opened_.model->config, run_.model);
    if (own) about_.plan.hash = chosen.hash();
    record();
    run_.plan = chosen.hash();
    draw_curve(chosen.specs());
    planned_ = with_plan(opened_, file(boost_name::plan));
    say("\nthe plan:\n{}\n", draw_plan(chosen.specs(), color_wanted()));
    record();
  }

  [[nodiscard]] PlanOptions plan_options() const {
    PlanOptions options = options_.plan;
    options.model = opened_.model->path.string();
    options.text = options_.analyze.text;
    return options;
  }

  /// What healing learnt comes with its plan; not over what somebody has healed here since.
  void use_ready_made() {
    const HealedDirectory ready = read_healed_directory(*ready_made_);
    if (plan_is_there_ && read_plan(file(boost_name::plan)).hash() != ready.plan_hash) return;
    if (is_intact(directory_) && read_healed_directory(directory_).adapter_hash != ready.adapter_hash) {
      note("{}: healed anew since it was copied, and kept", directory_.string());
      return;
    }
    copy_healed(*ready_made_, directory_, files_.checkpoint);
    note("the plan and what healing learnt come ready-made from {}; for others: `kv`, `speedup`, ... or `heal`",
         ready_made_->string());
  }

  /// The curve of loss against memory, with the plan on it.
  void draw_curve(const std::vector<MixerSpec>& specs) {
    const Json layers = read_json(file(boost_name::analysis))["layers"];
    const std::string inputs = inputs_of({layers, wanted_plan_, run_.plan});
    if (made_from(file(boost_name::curve), inputs)) return;
    fs::remove(file(boost_name::curve));  // of another plan
    std::optional<Json> curve =
        make_curve(file(boost_name::analysis), plan_options(), specs, options_.compute.precision, run_, opened_.model);
    if (!curve) {
      note("no curve of loss against memory: the analysis leaves out mixers that the plan has");
      return;
    }
    (*curve)["inputs"] = inputs;
    write_json(file(boost_name::curve), *curve);
  }

  /// A directory that is healed already, by the program or by hand, stays so unless the options say otherwise.
  void heal() {
    note("3/6 heal: what the plan lost is learnt again");
    if (options_.heals()) {
      HealOptions options;
      options.text = {options_.analyze.text.empty() ? "self" : options_.analyze.text};
      options.seed = options_.compute.seed;
      options.length = std::min(options.length, opened_.model->config.max_positions);
      const bool quantised = options_.compute.precision == Precision::int8;
      const auto unquantised = quantised ? load_model(files_.checkpoint, Precision::bf16) : nullptr;
      heal_boosted(quantised ? *unquantised : *opened_.model, directory_, *options_.heal, options, run_of_step());
    }
    healed_ = is_healed_directory(directory_) && !options_.unhealed() &&
              read_healed_directory(directory_).plan_hash == run_.plan;
    if (!healed_) note("not healed; `heal` 10M (tokens) or `heal` 20min does that");
    record();
  }

  void quality() {
    note("4/6 eval: what is lost");
    QualityOptions quality = options_.quality_options();
    self_written_ = quality.texts.empty();
    if (self_written_) quality.texts = {written_text().string()};
    std::vector<std::string> contents;
    for (const std::string& text : quality.texts) contents.push_back(content_of(text));
    const Json what = {self_written_, contents, quality.tasks, quality.retrieval, quality.limit, quality.context};
    step(boost_name::quality_of_base, "quality of the unchanged model", {run_.model, what}, [&] {
      return show(measure_quality({*opened_.model, opened_.unchanged()}, nullptr, quality));
    });
    step(boost_name::quality_of_plan, "quality with the plan", {run_.plan, what}, [&] {
      const ModelWithMixers unchanged{*planned_.model, planned_.unchanged()};
      return show(measure_quality(planned_.run(), &unchanged, quality));
    });
    if (!healed_) {
      fs::remove(file(boost_name::quality_of_healed));
      return;
    }
    const OpenedModel healed =
        open_model(healed_model_files(directory_, files_.checkpoint), options_.compute.precision);
    run_.adapter = healed.adapter_hash;
    step(boost_name::quality_of_healed, "quality with the plan, healed", {run_.plan, run_.adapter, what}, [&] {
      const ModelWithMixers unchanged{*opened_.model, opened_.unchanged()};
      return show(measure_quality(healed.run(), &unchanged, quality));
    });
    run_.adapter.clear();
  }

  void speed() {
    note("5/6 bench: what is won");
    const Json what = {options_.speed.batches, options_.speed.prompts, options_.speed.generate};
    step(boost_name::speed_of_base, "speed of the unchanged model", {run_.model, what},
         [&] { return measure_speed(opened_, opened_.unchanged(), options_.speed, print_); });
    step(boost_name::speed_of_plan, "speed with the plan", {run_.plan, what},
         [&] { return measure_speed(planned_, planned_.list(), options_.speed, print_); });
  }

  /// The text that the model writes to be measured on; its seed is another than the calibration's.
  [[nodiscard]] SelfTextOptions written_options() const {
    return {written_texts, options_.quality.context, options_.compute.seed + 1};
  }

  /// Text that the model writes.
  fs::path written_text() {
    fs::path path = file("written.txt");
    if (fs::exists(path)) return path;
    Subject subject(*opened_.model, opened_.unchanged());
    write_self_text(path, subject, written_options());
    return path;
  }

  template <typename Make>
  void step(const char* name, const char* title, const Json& what, const Make& make) {
    const std::string inputs = inputs_of(what);
    if (made_from(file(name), inputs)) {
      note("{}: there already, in {}", title, file(name).string());
      return;
    }
    say("\n{}:\n", title);
    const RunInfo run = run_of_step();
    const Json made = make();
    Json json = {{"run", run.to_json()}, {"inputs", inputs}};
    json.update(made);
    write_json(file(name), json);
    record();
  }

  [[nodiscard]] Json show(const QualityReport& report) const {
    say("{}", to_table(report));
    Json json = to_json(report);
    if (self_written_) json["data"]["text"]["written_by_model"] = true;
    return json;
  }

  /// What identifies a file of the user's: its content; its name where it can't be read twice.
  static std::string content_of(const fs::path& path) {
    return fs::is_regular_file(path) ? file_hash(path) : path.string();
  }

  /// The identity of what a file is made from: its inputs, the precision and the version.
  [[nodiscard]] std::string inputs_of(const Json& what) const {
    return content_hash(Json{what, run_.precision, run_.seed, LAYERBOOST_VERSION}.dump());
  }

  static bool made_from(const fs::path& path, const std::string& inputs) {
    return fs::exists(path) && get_or<std::string>(read_json(path), "inputs", "", path.string()) == inputs;
  }

  [[nodiscard]] Json summary() const {
    Json json = {{"run", run_.to_json()}};
    for (const char* name : {boost_name::plan, boost_name::quality_of_base, boost_name::quality_of_plan,
                             boost_name::quality_of_healed, boost_name::speed_of_base, boost_name::speed_of_plan})
      if (has(name)) json[fs::path(name).stem().string()] = read_json(file(name));
    return json;
  }

  BoostOptions options_;
  const Print& print_;
  const fs::path directory_;
  RunInfo run_;
  BoostDirectory about_;
  double seconds_before_ = 0;
  Json wanted_plan_;
  bool plan_is_there_ = false;
  CostModel cost_;
  std::optional<fs::path> ready_made_;  // the healed directory to use
  bool healed_ = false, self_written_ = false;
  ModelFiles files_;
  OpenedModel opened_, planned_;
};

}  // namespace

void run_boost(BoostOptions options, const Print& print) { Boost(std::move(options), print).run(); }

}  // namespace layerboost
