#include "app/ladder_maker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "analyze/gradient_estimate.h"
#include "analyze/joint_loss.h"
#include "analyze/sweep.h"
#include "app/check_files.h"
#include "app/ladder_directory.h"
#include "artifact/boosted_directory.h"
#include "artifact/healed_directory.h"
#include "artifact/ladder_weights.h"
#include "artifact/model_store.h"
#include "artifact/opened_ladder.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/leftovers.h"
#include "base/log.h"
#include "base/progress.h"
#include "eval/self_text.h"
#include "eval/task_file.h"
#include "eval/text_data.h"
#include "heal/heal_text.h"
#include "heal/layer_stage.h"
#include "heal/student.h"
#include "mixer/descriptor.h"
#include "plan/cost_calibration.h"
#include "plan/ladder_search.h"
#include "plan/measured_plans.h"

namespace layerboost {
namespace {

/// From the one that keeps most to the one that keeps least.
std::vector<MixerSpec> mixers_of(const std::vector<std::string>& words) {
  std::vector<MixerSpec> mixers;
  for (const std::string& word : words) {
    try {
      mixers.push_back(parse_mixer(word));
    } catch (const Error& error) {
      fail("`to`: {}", error.what());
    }
    const MixerSpec& mixer = mixers.back();
    check_rung(full_attention, mixer, "`to`", true);
    if (must_be_trained(mixer.kind) && words.size() > 1)
      fail("`to`: {} stands alone: layers that learn it go on to nothing else", word);
  }
  if (mixers.empty()) fail("`to` is empty: name what layers are changed to, such as window:128+4");
  for (auto next = mixers.begin(); next != mixers.end(); ++next) {
    const auto goes_before = [&](const MixerSpec& mixer) {
      return std::all_of(next, mixers.end(),
                         [&](const MixerSpec& other) { return &other == &mixer || may_follow(mixer, other); });
    };
    const auto most = std::find_if(next, mixers.end(), goes_before);
    if (most == mixers.end())
      fail("`to`: of {}, none can be changed to all others: a layer never gets back what it gave up",
           fmt::join(words, ","));
    std::iter_swap(next, most);
  }
  return mixers;
}

/// Says how far a row of like pieces of work has come; those that are there already take no time.
class TimeLeft {
 public:
  explicit TimeLeft(int pieces) : left_(pieces) {}
  void begin() { watch_ = Stopwatch(); }
  void skip() { --left_; }
  void end() {
    --left_;
    ++done_;
    seconds_ += watch_.seconds();
  }
  /// "; about 5 min left"; nothing at the end.
  [[nodiscard]] std::string text() const {
    return left_ > 0 && done_ > 0 ? fmt::format("; about {} left", duration_text(seconds_ / done_ * left_)) : "";
  }

 private:
  int left_, done_ = 0;
  double seconds_ = 0;
  Stopwatch watch_;
};

/// Makes the ladder of one directory.
class LadderMaker {
 public:
  explicit LadderMaker(LadderOptions options)
      : options_(std::move(options)), directory_(options_.output), file_(ladder_file(directory_)) {}

  Ladder make() {
    run_ = start_run(options_.compute);
    check_ladder_options(options_);
    look();
    const FileLock lock = lock_directory(directory_);
    remove_leftovers(directory_);
    load();
    if (copies_) copy_level_0(directory_, files_, *level_0_);
    if (!there_) chain() ? train() : choose();
    if (chain()) {
      if (there_) clear_up_after_rung(directory_, opened_.ladder);                // which a run that was killed hasn't
      opened_.opened.mixers = std::make_unique<MixerSet>(*opened_.opened.model);  // of none that learnt since
    }
    use_learnt(*opened_.opened.mixers, *opened_.opened.model, opened_.ladder, directory_);
    measure();
    return std::move(opened_.ladder);
  }

 private:
  // ---- before it begins

  /// Looks at the model's files and at what the directory holds, before anything is loaded.
  void look() {
    files_ = options_.plan.empty() ? find_model_files(options_.model) : find_model_files(options_.model, options_.plan);
    const Checkpoint& checkpoint = *files_.checkpoint;
    const Config& config = checkpoint.config();
    if (!config.attention.empty())
      fail("ladder {}: an exported model, parts of which have been left out; give the one that it was made from",
           options_.model);
    check_model_hash(files_);
    Ladder& ladder = opened_.ladder;
    ladder.model_name = name_of_model();
    ladder.model_path = fs::absolute(checkpoint.path());
    ladder.model_hash = checkpoint.hash();
    ladder.level_0 = native_specs(config);
    if (!files_.plan.empty()) {
      level_0_ = read_planned_files(files_).plan;
      ladder.level_0 = level_0_->specs();
      ladder.plan_hash = level_0_->hash();
      ladder.adapter_hash = files_.adapter_hash;
    }
    ladder.context = config.max_positions > 0 ? std::min(options_.context, config.max_positions) : options_.context;
    if (config.max_positions > 0) options_.length = std::min(options_.length, config.max_positions);
    look_at_rungs(config);
    ladder.options = what_chooses();
    look_at_directory();
  }

  [[nodiscard]] std::string name_of_model() const {
    if (!files_.adapter.empty()) return read_healed_directory(files_.adapter.parent_path()).model_name;
    if (files_.ladder != nullptr) return files_.ladder->model_name;
    const std::string given = shipped_or_given(options_.model);
    return is_boost_directory(given) ? read_boost_directory(given).model_name : base_name(options_.model);
  }

  void look_at_rungs(const Config& config) {
    search_.to = mixers_of(options_.to);
    search_.keep = {options_.keep.begin(), options_.keep.end()};
    search_.retrieval_weight = options_.retrieval_weight;
    search_.tries = options_.tries;
    for (const int layer : options_.keep)
      if (layer >= config.layers) fail("`keep` {}: the model's layers are 0 to {}", layer, config.layers - 1);
    const int most =
        chain() ? static_cast<int>(trainable_layers().size()) : most_rungs(opened_.ladder.level_0, search_);
    const std::string passed_over = chain() ? "" : layers_passed_over();
    if (most == 0)
      fail("`to` {}: no layer is left that it would change{}{}", fmt::join(options_.to, ","),
           passed_over.empty() ? "" : ": ", passed_over);
    search_.rungs = options_.rungs.value_or(std::max(1, most * 3 / 4));
    if (search_.rungs > most)
      fail("`rungs` {}: with {}, at most {} are possible", search_.rungs, fmt::join(options_.to, ","), most);
    if (chain()) return look_at_training(config);
    Ladder all = opened_.ladder;  // whether each mixer is one of this model
    for (int layer = 0; layer < config.layers; ++layer) {
      MixerSpec now = all.level_0[static_cast<std::size_t>(layer)];
      for (const MixerSpec& mixer : search_.to) {
        if (!may_follow(now, mixer)) continue;
        all.rungs.push_back({layer, mixer});
        now = mixer;
      }
    }
    check_ladder(all, config, all.model_hash, "`to`");
    if (!passed_over.empty()) note("`to` {}: passed over: {}", fmt::join(options_.to, ","), passed_over);
  }

  /// Layers that can have none of the rungs, and why; empty: there are none. It may be for the sinks alone, which a
  /// model's own windows have none of.
  [[nodiscard]] std::string layers_passed_over() const {
    const auto changes = [&](const MixerSpec& now, bool whatever_sinks) {
      return std::ranges::any_of(search_.to, [&](MixerSpec mixer) {
        if (whatever_sinks) mixer.sinks = std::min(mixer.sinks, now.sinks);
        return may_follow(now, mixer);
      });
    };
    std::vector<int> all, for_sinks;
    for (int layer = 0; layer < static_cast<int>(opened_.ladder.level_0.size()); ++layer) {
      const MixerSpec& now = opened_.ladder.level_0[static_cast<std::size_t>(layer)];
      if (search_.keep.contains(layer) || changes(now, false)) continue;
      all.push_back(layer);
      if (changes(now, true)) for_sinks.push_back(layer);
    }
    if (!for_sinks.empty())
      return fmt::format("layers {} have windows with fewer sinks, and a ladder gives no more: leave the sinks out",
                         fmt::join(for_sinks, ","));
    return all.empty() ? "" : fmt::format("layers {} keep no more than that", fmt::join(all, ","));
  }

  /// Whether the rungs' mixer must be trained: then it is the only one.
  [[nodiscard]] bool chain() const { return must_be_trained(search_.to.front().kind); }

  [[nodiscard]] std::vector<int> trainable_layers() const {
    std::vector<int> layers;
    const std::vector<MixerSpec>& specs = opened_.ladder.level_0;
    for (int layer = 0; layer < static_cast<int>(specs.size()); ++layer)
      if (!search_.keep.contains(layer) && may_follow(specs[static_cast<std::size_t>(layer)], search_.to.front(), true))
        layers.push_back(layer);
    return layers;
  }

  void look_at_training(const Config& config) const {
    const std::string mixer = to_string(search_.to.front());
    if (level_0_) fail("`to` {}: layers learn from the unchanged model; give that, not a plan", mixer);
    if (options_.compute.precision == Precision::int8)
      fail("`to` {}: layers learn in bf16 or f32: give `precision` bf16", mixer);
    check_sizes_for_healing(config);
    check_layers_can_learn(config);
    for (const std::string& file : files_of(options_.chain.text)) check_input(file, "train-text");
  }

  /// What identifies a text: its content.
  static std::string content_of(const std::string& file) { return file.empty() ? "self" : read_text(file).hash; }

  [[nodiscard]] Json what_chooses() const {
    std::vector<std::string> to;
    for (const MixerSpec& mixer : search_.to) to.push_back(to_string(mixer));
    Json json = {{"to", to},
                 {"rungs", search_.rungs},
                 {"keep", options_.keep},
                 {"retrieval_weight", options_.retrieval_weight},
                 {"tries", options_.tries},
                 {"text", content_of(options_.text)},
                 {"tokens", options_.tokens},
                 {"length", options_.length},
                 {"retrieval_items", options_.retrieval_items},
                 {"precision", name_of(options_.compute.precision)},
                 {"seed", options_.compute.seed}};
    if (chain()) {
      json["train_text"] = options_.chain.text;
      for (const std::string& file : files_of(options_.chain.text)) json["train_files"].push_back(file_hash(file));
    }
    return json;
  }

  /// Nobody else's work is overwritten.
  void look_at_directory() {
    Ladder& ladder = opened_.ladder;
    LadderFound found = look_at_ladder_directory(directory_, {ladder, files_, level_0_, search_.rungs, chain()});
    copies_ = found.copies;
    there_ = found.complete;
    measured_before_ = std::move(found.quality);
    ladder.measured_on = std::move(found.measured_on);
    if (found.ladder) ladder = std::move(*found.ladder);
  }

  void load() {
    opened_.opened = open_model(files_, options_.compute.precision);
    const Model& model = *opened_.opened.model;
    run_.model = model.hash;
    run_.plan = opened_.opened.plan_hash;
    run_.adapter = opened_.opened.adapter_hash;
    if (level_0_) opened_.plan = *level_0_;
    const int positions = model.config.max_positions;
    if (options_.retrieval_items > 0 && options_.retrieval_weight > 0 && !there_) {
      try {
        check_retrieval(model.text(), options_.length - retrieval_room, 0);
      } catch (const Error& error) {
        fail("`length` {}: too short for the questions that rungs are chosen by ({}); or give `retrieval-weight` 0",
             options_.length, error.what());
      }
    }
    fit_to_model(options_.quality, options_.retrieval_given, model);
    decode_ = decode_target(options_.quality, positions);
  }

  // ---- the rungs

  Calibration calibration() const {
    const bool questions = options_.retrieval_weight > 0 && options_.retrieval_items > 0;
    return make_calibration(*opened_.opened.model, {options_.text, options_.tokens, options_.length,
                                                    questions ? options_.retrieval_items : 0, options_.compute.seed});
  }

  void train() {
    options_.chain.length = options_.length;
    note("1/2 the rungs: {} of {}, {} tokens each", search_.rungs, to_string(search_.to.front()),
         options_.chain.tokens);
    Ladder& ladder = opened_.ladder;
    const Calibration chosen_by = calibration();
    Json made_with = what_chooses();
    made_with.erase("rungs");
    train_rungs({opened_.opened, options_.chain, search_.to.front(), search_.rungs, trainable_layers(),
                 options_.retrieval_weight, chosen_by, options_.compute.seed,
                 content_hash(ladder.model_hash + made_with.dump()), directory_,
                 [&] {
                   ladder.options["chosen"] = rungs_hash(ladder.rungs);
                   save();
                 }},
                ladder);
  }

  void choose() {
    note("1/2 the rungs: {} of {}", search_.rungs, fmt::join(options_.to, ", "));
    const Model& model = *opened_.opened.model;
    Ladder& ladder = opened_.ladder;
    const bool questions = options_.retrieval_weight > 0 && options_.retrieval_items > 0;
    const Calibration calibration = this->calibration();
    // Losses are counted from level 0; where that is the unchanged model, it is the same.
    std::optional<JointLoss> joint;
    const std::string key = fmt::format("{} {} {} {} {}", model.hash, ladder.plan_hash, ladder.adapter_hash,
                                        calibration.hash, run_.precision);
    MeasuredPlans plans(directory_ / "measured.json", key, [&](const std::vector<MixerSpec>& specs) {
      if (!joint) joint.emplace(model, *opened_.opened.mixers, calibration, ladder.level_0);
      const JointOutcome outcome = joint->measure(specs);
      return JointLossValue{outcome.kl, outcome.retrieval};
    });
    const FirstLoss first = first_losses(calibration, questions, plans);
    const Config& config = model.config;
    const auto memory = [&](const MixerSpec& mixer) {
      return static_cast<double>(kv_bytes(config, mixer, ladder.context, 2));
    };
    TimeLeft time(search_.rungs);
    int measurements = 0;
    const MeasurePlan counting = [&](const std::vector<MixerSpec>& specs) {
      ++measurements;
      return plans(specs);
    };
    const auto steps = search_ladder(ladder.level_0, search_, first, memory, counting, [&](const LadderStep* last) {
      if (last != nullptr) {
        time.end();
        ladder.rungs.push_back(last->rung);
        note("rung {} of {}: {}: loss {:.4f} (kl {:.4f}, retrieval {:.3f}){}", ladder.top(), search_.rungs,
             to_string(last->rung), last->loss, last->measured.text, last->measured.retrieval, time.text());
      }
      time.begin();
    });
    note("{} rungs by {} measurements of whole plans", steps.size(), measurements);
    ladder.options["chosen"] = rungs_hash(ladder.rungs);
    ladder.quality.assign(ladder.rungs.size() + 1, {});
    for (int level = 0; level <= ladder.top(); ++level)
      for (const auto& quality : measured_before_)
        if (quality && quality->mixers == ladder.level_hash(level))
          ladder.quality[static_cast<std::size_t>(level)] = quality;
    save();
  }

  /// Returns what each change loses alone: from an analysis of the unchanged model, by gradients where that can be;
  /// changes of a plan are measured one by one.
  FirstLoss first_losses(const Calibration& calibration, bool questions, MeasuredPlans& plans) {
    const Ladder& ladder = opened_.ladder;
    if (level_0_) {
      note("what each change loses alone: measured");
      return [&plans, &ladder, this](int layer, const MixerSpec& mixer) {
        std::vector<MixerSpec> specs = ladder.level_0;
        specs[static_cast<std::size_t>(layer)] = mixer;
        return plans(specs).total(options_.retrieval_weight);
      };
    }
    SweepOptions sweep;
    sweep.choices = search_.to;
    sweep.measures = {"kl"};
    if (questions) sweep.measures.emplace_back("retrieval");
    sweep.by_gradients = by_gradients();
    sweep.seed = options_.compute.seed;
    note("what each change loses alone: {}", sweep.by_gradients ? "estimated from gradients" : "measured");
    const Analysis analysis = run_sweep(*opened_.opened.model, *opened_.opened.mixers, calibration, sweep,
                                        directory_ / "analysis.json", [&] { return run_.to_json(); });
    const auto planner = std::make_shared<const Planner>(
        analysis, LossRule{"kl", questions ? options_.retrieval_weight : 0}, ladder.context);
    return [planner](int layer, const MixerSpec& mixer) { return planner->loss(layer, mixer); };
  }

  [[nodiscard]] bool by_gradients() const {
    const Config& config = opened_.opened.model->config;
    const auto restricts = [&](const MixerSpec& mixer) { return is_restriction(config, mixer); };
    return can_estimate(config, options_.compute.precision) && std::ranges::any_of(search_.to, restricts);
  }

  // ---- the levels

  void measure() {
    Ladder& ladder = opened_.ladder;
    const fs::path text = text_to_measure_on();
    const Json unchanged = look_at_measured(text);
    TimeLeft time(ladder.top() + 1);
    note("2/2 the levels: what each loses and wins");
    const std::optional<CostModel> cost = find_cost();
    LadderQuality quality(opened_, options_.quality, text, cost ? &*cost : nullptr, unchanged);
    for (int level = 0; level <= ladder.top(); ++level)
      if (std::optional<LevelQuality>& place = ladder.quality[static_cast<std::size_t>(level)])
        quality.count(level, *place);
    save();
    for (int level = 0; level <= ladder.top(); ++level) {
      std::optional<LevelQuality>& place = ladder.quality[static_cast<std::size_t>(level)];
      if (place) {
        time.skip();
        continue;
      }
      time.begin();
      place = quality.measure(level);
      time.end();
      ladder.measured_on["unchanged"] = quality.unchanged();
      save();
      note("level {} of {}: perplexity {:.3f} times, kl {:.4f}, {:.0f} % of the facts kept, {:.0f} % of the memory{}",
           level, ladder.top(), place->perplexity_ratio, place->kl, 100 * place->kept(), 100 * place->kv_fraction,
           time.text());
    }
    if (options_.quality.bench) measure_speeds(quality);
  }

  /// One after another, so that all have the machine as it is now.
  void measure_speeds(LadderQuality& quality) {
    Ladder& ladder = opened_.ladder;
    quality.measure_unchanged_speed();
    ladder.measured_on["unchanged"] = quality.unchanged();
    TimeLeft time(ladder.top() + 1);
    for (int level = 0; level <= ladder.top(); ++level) {
      LevelQuality& place = *ladder.quality[static_cast<std::size_t>(level)];
      if (place.decode_speed) {
        time.skip();
        continue;
      }
      time.begin();
      place.decode_speed = quality.measure_speed(level);
      time.end();
      save();
      note("level {} of {}: {:.0f} tokens/s{}", level, ladder.top(), *place.decode_speed, time.text());
    }
  }

  /// Figures of another text or of other options are measured anew, and speeds of another machine. Returns those of the
  /// unchanged model, null where there are none.
  Json look_at_measured(const fs::path& text) {
    Ladder& ladder = opened_.ladder;
    const LadderQualityOptions& quality = options_.quality;
    std::vector<std::string> tasks;  // by content
    for (const std::string& file : quality.tasks) tasks.push_back(file_hash(file));
    Json losses = {{"text", quality.text.empty() ? "self" : fs::path(quality.text).filename().string()},
                   {"text_hash", content_of(text.string())},
                   {"windows", quality.windows},
                   {"window", quality.window},
                   {"retrieval", quality.retrieval},
                   {"places", quality.places},
                   {"seed", options_.compute.seed},
                   {"precision", run_.precision}};
    if (!tasks.empty()) losses.update({{"tasks", tasks}, {"task_items", quality.task_items}});
    const Json speeds = {{"decode", fmt::format("{}x{}", decode_.batch, decode_.context)},
                         {"cpu", cpu_name()},
                         {"threads", run_.threads}};
    const Json found = std::exchange(ladder.measured_on, losses);
    const bool other_tasks = found.contains("tasks") && tasks.empty();
    ladder.measured_on.update(speeds);
    const auto is_in_found = [&](const Json& what) {
      return std::ranges::all_of(what.items(), [&](const auto& one) {
        return get_or<Json>(found, one.key().c_str(), Json(), file_.string()) == one.value();
      });
    };
    if (!is_in_found(losses) || other_tasks) {
      if (std::ranges::any_of(ladder.quality, [](const auto& level) { return level.has_value(); }))
        note("{}: its figures are of another text or of other options; all levels are measured anew", file_.string());
      for (auto& level : ladder.quality) level.reset();
      return {};
    }
    Json unchanged = get_or<Json>(found, "unchanged", Json(), file_.string());
    if (!is_in_found(speeds)) {
      for (auto& level : ladder.quality)
        if (level) level->decode_speed.reset();
      if (unchanged.is_object()) unchanged.erase("decode_speed");
    }
    if (!unchanged.is_null()) ladder.measured_on["unchanged"] = unchanged;
    return unchanged;
  }

  std::optional<CostModel> find_cost() const {
    const Model& model = *opened_.opened.model;
    const CostKey key = cost_key(model.hash, options_.compute.precision);
    auto known = read_cost(key);
    if (!known) {
      known = measure_cost(model);
      write_cost(key, *known);
    }
    return known;
  }

  /// Returns the file that levels are measured on: the user's, or text that the model writes with another seed than
  /// that of the text that rungs are chosen by. It is named by what made it.
  fs::path text_to_measure_on() {
    const LadderQualityOptions& quality = options_.quality;
    if (!quality.text.empty()) return quality.text;
    const SelfTextOptions written = {quality.windows, quality.window, options_.compute.seed + 1};
    fs::path path = directory_ / fmt::format("written-{}-{}x{}.txt", written.seed, quality.windows, quality.window);
    if (fs::exists(path)) return path;
    const Model& model = *opened_.opened.model;
    const UnchangedModel other(opened_.opened);
    const ModelWithMixers unchanged =
        other.get() != nullptr ? *other.get() : ModelWithMixers{model, opened_.opened.unchanged()};
    Subject subject(unchanged.model, unchanged.mixers);
    write_self_text(path, subject, written);
    return path;
  }

  void save() {
    opened_.ladder.run = run_.to_json();
    write_ladder(file_, opened_.ladder);
  }

  LadderOptions options_;
  const fs::path directory_, file_;
  RunInfo run_;
  ModelFiles files_;
  std::optional<Plan> level_0_;                               // nothing: the unchanged model
  bool copies_ = false;                                       // whether its files are to be copied
  bool there_ = false;                                        // whether the rungs are chosen already
  std::vector<std::optional<LevelQuality>> measured_before_;  // of a ladder that becomes longer or shorter
  LadderSearchOptions search_;
  SpeedTarget decode_;
  OpenedLadder opened_;
};

}  // namespace

void check_ladder_options(const LadderOptions& options) {
  if (options.output.empty()) fail("`output` DIR is missing: where the ladder goes");
  (void)mixers_of(options.to);
  (void)decode_target(options.quality, 0);
  check_input(options.plan, "plan");
  for (const std::string& file : options.quality.tasks) {
    check_input(file, "tasks");
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) fail("`tasks` {}: is read several times, so it must be a file", file);
  }
  (void)read_tasks(options.quality.tasks, options.quality.task_items);
  for (const auto& [file, option] : {std::pair{options.text, "text"}, {options.quality.text, "eval-text"}}) {
    check_input(file, option);
    std::error_code ignored;
    if (!file.empty() && !fs::is_regular_file(file, ignored))
      fail("`{}` {}: is read several times, so it must be a file", option, file);
    if (!file.empty()) (void)read_text(file);
  }
  if (!options.text.empty() && !options.quality.text.empty() &&
      read_text(options.text).hash == read_text(options.quality.text).hash)
    fail("`eval-text` {}: what the rungs are chosen by can't be what they are judged by", options.quality.text);
  check_output_directory(options.output, "output");
}

Ladder make_ladder(LadderOptions options) {
  try {
    return LadderMaker(std::move(options)).make();
  } catch (const Interrupted&) {
    throw Interrupted("stopped; the same command goes on from here");
  }
}

}  // namespace layerboost
