#include "heal/heal.h"

#include "artifact/healed_directory.h"
#include "artifact/merge.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/log.h"
#include "heal/trainer.h"

namespace layerboost {
namespace {

class HealRun {
 public:
  HealRun(const Model& model, const HealPlan& plan, const HealOptions& options, fs::path directory, const RunInfo& run)
      : model_(model),
        plan_(plan),
        options_(options),
        directory_(std::move(directory)),
        run_(run),
        specs_(plan.plan.specs()) {}

  HealResult make() {
    options_.ranks->by_first([this] { check_directory(); });
    if (lowest_changed(model_.config, specs_) == model_.config.layers)
      fail("{} changes nothing: there is nothing to heal", plan_.path.string());
    if (options_.lora.rank < 1) fail("`rank` {}: healing needs 1 or more", options_.lora.rank);
    const Adapter* const from = plan_.from ? &*plan_.from : nullptr;
    if (from != nullptr && from->alpha != options_.lora.alpha)
      fail("the adapter to begin with has alpha {}: give `alpha` {}", from->alpha, from->alpha);
    Student student(model_, specs_,
                    merged_parameters(model_.config, read_plan_maps(plan_.plan, plan_.path, model_.config), specs_,
                                      from, plan_.from_hash),
                    options_.lora, options_.memory);
    student_ = &student;
    const std::unique_ptr<HealText> text =
        open_heal_text(model_, {options_.text, options_.valid, options_.length, options_.held_out,
                                read_before() + sequences(), options_.seed});
    if (first()) tell(*text);
    TrainFiles files;
    files.checkpoint = checkpoint();
    files.log = healed_log(directory_);
    files.identity = identity(*text);
    files.found = [&](const TrainState& state) { go_on(state, *text); };
    files.save_best = [&](const TrainState& state) { save(state, *text); };
    files.first_sequence = read_before();
    if (from != nullptr)
      files.begin = [&](std::span<float> x) { take_pairs(student.sites(), options_.lora.rank, *from, x); };
    Trainer trainer(model_, student, *text, options_, std::move(files));
    const TrainState state = trainer.run();
    if (first() && state.step > found_step_) write_directory(state, *text);
    return {state.before, state.best, state.step, state.best_step, state.step * options_.tokens_per_step(),
            state.seconds};
  }

 private:
  /// Whether this process is the one that writes and tells.
  [[nodiscard]] bool first() const { return options_.ranks->first(); }

  /// Returns the steps of both stages.
  [[nodiscard]] std::int64_t all_steps() const { return match_steps(options_, *student_) + options_.steps(); }

  /// Returns how many sequences are read, in both stages.
  [[nodiscard]] std::int64_t sequences() const { return all_steps() * options_.sequences_per_step(); }

  /// Returns how many sequences of the text earlier runs have read, if it was the same: this one reads on behind them.
  [[nodiscard]] std::int64_t read_before() const { return plan_.from ? plan_.from->tokens / options_.length : 0; }

  void tell(const HealText& text) const {
    const std::int64_t wanted = sequences();
    if (wanted > text.size())
      note("{} has {} tokens to learn from: {} tokens read it {:.1f} times", text.name(), text.size() * options_.length,
           options_.steps() * options_.tokens_per_step(),
           static_cast<double>(wanted) / static_cast<double>(text.size()));
    const CoreBatch batch{micro_batch_sequences(options_, *student_), options_.length};
    if (const int again = student_->recomputed_layers(batch); again > 0)
      note("`memory`: the activations of {} layers don't fit and are computed twice", again);
  }

  /// Throws Error where healing into the directory would undo what somebody has there.
  void check_directory() const {
    const fs::path own = healed_plan(directory_);
    std::error_code ignored;
    if (fs::exists(own, ignored) && read_plan(own).hash() != plan_.plan.hash())
      fail("{} is another plan than {}: give another `output`, or remove it", own.string(), plan_.path.string());
    if (!fs::exists(checkpoint(), ignored) && is_intact(directory_))
      fail(
          "{} holds a healed model, and no checkpoint to go on from: give another `output`, or remove {} to begin "
          "again",
          directory_.string(), healed_file(directory_).string());
  }

  [[nodiscard]] fs::path checkpoint() const { return directory_ / "checkpoint" / "state.bin"; }

  /// What the checkpoint's best parameters were written to has to be there, unchanged and of the checkpoint's best
  /// step: a run may have been killed between the two.
  void go_on(const TrainState& state, const HealText& text) {
    if (state.measured_step < 0) return;
    const std::string where = healed_file(directory_).string();
    if (is_intact(directory_)) {
      const HealedDirectory found = read_healed_directory(directory_);
      const Json before = get_or<Json>(read_json(healed_file(directory_)), "run", Json::object(), where);
      seconds_before_ = get_or<double>(before, "seconds", 0, where);
      if (get_or<std::int64_t>(found.figures, "best_step", -1, where) == state.best_step) {
        adapter_hash_ = found.adapter_hash;
        found_step_ = get_or<std::int64_t>(found.figures, "steps", -1, where);
        return;
      }
    } else if (is_healed_directory(directory_)) {
      note("{}: what was healed is missing a file or has changed: made again from the checkpoint", directory_.string());
    }
    save(state, text);
    found_step_ = state.step;
  }

  void copy_plan() const {
    std::error_code ignored;
    if (fs::equivalent(plan_.path, healed_plan(directory_), ignored)) return;
    write_plan(healed_plan(directory_), plan_.plan);
    if (plan_.plan.maps)
      write_file(directory_ / plan_.plan.maps->file, read_file(plan_.path.parent_path() / plan_.plan.maps->file));
  }

  [[nodiscard]] Json identity(const HealText& text) const {
    Json json = options_.to_json();
    json.erase("text");  // by their content
    json.erase("valid");
    json["data"] = text.hash();
    json["model"] = model_.hash;
    json["plan"] = plan_.plan.hash();
    json["from"] = plan_.from ? Json(plan_.from_hash) : Json();
    json["precision"] = run_.precision;
    json["micro-batch"] = micro_batch_sequences(options_, *student_) * options_.length;
    return json;
  }

  /// Writes the best parameters as the directory's adapter. Only now the plan, too: a run that is refused changes
  /// nothing of what another left there.
  void save(const TrainState& state, const HealText& text) {
    copy_plan();
    const std::vector<float>& best = state.best_x.empty() ? state.x : state.best_x;
    Adapter adapter;
    adapter.model_hash = model_.hash;
    adapter.plan_hash = plan_.plan.hash();
    adapter.rank = options_.lora.rank;
    adapter.alpha = options_.lora.alpha;
    adapter.step = state.best_step;
    adapter.tokens = (plan_.from ? plan_.from->tokens : 0) + state.best_step * options_.tokens_per_step();
    put_pairs(student_->sites(), options_.lora.rank, best, adapter);
    for (const auto& [name, own] : named_parameters(model_.config, student_->mixer_parameters(best), specs_))
      adapter.mixer[name] = {own.shape, own.values};
    write_adapter(healed_adapter(directory_), adapter, model_.precision == Precision::f32 ? DType::f32 : DType::bf16);
    adapter_hash_ = file_hash(healed_adapter(directory_));
    write_directory(state, text);
  }

  void write_directory(const TrainState& state, const HealText& text) const {
    HealedDirectory healed;
    healed.model_name = options_.model_name.empty() ? model_.config.name : options_.model_name;
    healed.model_path = fs::absolute(model_.path);
    healed.model_hash = model_.hash;
    healed.plan_hash = plan_.plan.hash();
    healed.adapter_hash = adapter_hash_;
    healed.options = options_.to_json();
    healed.figures = {{"steps", state.step},
                      {"all_steps", all_steps()},
                      {"tokens", state.step * options_.tokens_per_step()},
                      {"seconds", state.seconds},
                      {"best_step", state.best_step},
                      {"text", text.name()},
                      {"held_out", text.held_out_name()},
                      {"before", state.before.to_json()},
                      {"after", state.best.to_json()}};
    if (plan_.from) healed.figures["from"] = {{"adapter", plan_.from_hash}, {"tokens", plan_.from->tokens}};
    Json run = run_.to_json();
    run["seconds"] = run["seconds"].get<double>() + seconds_before_;
    write_healed_directory(directory_, healed, run);
  }

  const Model& model_;
  const HealPlan& plan_;
  const HealOptions& options_;
  const fs::path directory_;
  const RunInfo& run_;
  const std::vector<MixerSpec> specs_;
  Student* student_ = nullptr;
  std::string adapter_hash_;      // of the adapter that this run wrote, or found to be the one it had written
  double seconds_before_ = 0;     // of the runs that this one goes on from
  std::int64_t found_step_ = -1;  // that heal.json tells of; -1: none
};

}  // namespace

HealResult heal(const Model& model, const HealPlan& plan, const HealOptions& options, const fs::path& directory,
                const RunInfo& run) {
  return HealRun(model, plan, options, directory, run).make();
}

}  // namespace layerboost
