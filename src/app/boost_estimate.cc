#include "app/boost_estimate.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "analyze/calibration_runner.h"
#include "analyze/gradient_estimate.h"
#include "artifact/folders.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/utf8.h"
#include "engine/cache_memory.h"
#include "engine/throughput.h"
#include "eval/retrieval.h"
#include "eval/task_file.h"
#include "heal/heal_options.h"
#include "heal/heal_text.h"
#include "heal/student.h"

namespace layerboost {
namespace {

constexpr double gibibyte = 1 << 30;
constexpr std::size_t program_bytes = std::size_t{100} << 20;  // of the process without a model
constexpr int rows_of_step = 2048;                             // what is read at once
constexpr int texts_at_once = 64;                              // of text by the model itself
constexpr std::size_t sample_bytes = std::size_t{1} << 16;     // of a file, whose tokens are counted

std::size_t size(double bytes) { return static_cast<std::size_t>(bytes); }

/// One sequence of random tokens, every one of which is predicted.
Calibration random_calibration(const Model& model, int rows) {
  Calibration calibration;
  CalibrationSequence& sequence = calibration.sequences.emplace_back();
  Random random(1);
  for (int i = 0; i < rows; ++i)
    sequence.tokens.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(model.config.vocab))));
  calibration.texts = 1;
  calibration.length = rows;
  return calibration;
}

class Estimator {
 public:
  Estimator(const BoostOptions& options, const BoostWork& work, const Model& model, const MixerList& unchanged,
            const ModelTimes& times)
      : options_(options), work_(work), model_(model), config_(model.config), unchanged_(unchanged), times_(times) {
    const AnalyzeOptions& analyze = options.analyze;
    texts_ = std::max(1, (analyze.tokens + analyze.length - 1) / analyze.length);
    const int questions = analyze.asks_for("retrieval") ? analyze.retrieval_items : 0;
    rows_ = static_cast<double>(texts_ + questions) * analyze.length;
    scored_ = static_cast<double>(texts_) * analyze.length;
    native_ = native_specs(config_);
  }

  [[nodiscard]] StepEstimate analyze() const {
    const auto choices = static_cast<double>(choices_of(options_.analyze, config_).size());
    const int layers = config_.layers;
    double seconds =
        options_.analyze.text.empty() && !work_.self_text_is_kept ? writing(texts_, options_.analyze.length) : 0;
    const double base = rows_ * times_.row + scored_ * times_.head;
    seconds += base + rows_ * times_.row;  // the unchanged model, and its layers one by one
    // From each layer on, for each choice that is measured: half of the layers in the mean.
    const double measuring = rows_ * times_.row * (layers + 1) / 2 + layers * scored_ * times_.head;
    seconds += options_.analyze.by_gradients ? gradients() + measured_choices() * measuring : choices * measuring;
    if (!options_.analyze.tasks.empty() && options_.analyze.asks_for("task"))
      seconds += (choices * layers + 1) * task_tokens() * (times_.row + times_.head / 4);
    return {"1/6 analyze",
            fmt::format("{} layers, {} choice{} each{}, on {} tokens", layers, choices, choices == 1 ? "" : "s",
                        options_.analyze.by_gradients ? ", windows by gradients" : "", rows_),
            seconds,
            weights() + sweep_bytes() +
                (options_.analyze.by_gradients ? estimate_bytes(model_, options_.analyze.length) : 0)};
  }

  /// Returns the seconds that the estimate by gradients takes: a forward pass with the mixers run once more (about half
  /// of it), or, where a norm follows what heads put out, for each choice, too; and the backward passes, each about as
  /// long as two forward passes. Text has one for each sample and one for its own tokens, questions have one for their
  /// answers.
  [[nodiscard]] double gradients() const {
    const double passes = EstimateOptions().samples + (options_.analyze.asks_for("nll") ? 1 : 0);
    const auto choices = static_cast<double>(choices_of(options_.analyze, config_).size());
    const double mixers = 1 + (config_.norms_after ? choices - measured_choices() : 0);
    return times_.row * ((1 + 0.5 * mixers) * rows_ + 2 * (passes * scored_ + (rows_ - scored_))) +
           passes * scored_ * times_.head;
  }

  /// Choices that by gradients are measured all the same.
  [[nodiscard]] double measured_choices() const {
    const std::vector<MixerSpec> choices = choices_of(options_.analyze, config_);
    const auto restricts = [&](const MixerSpec& choice) { return is_restriction(config_, choice); };
    return static_cast<double>(std::ssize(choices) - std::ranges::count_if(choices, restricts));
  }

  [[nodiscard]] StepEstimate plan() const {
    if (work_.ready_made) return {"2/6 plan", "the one that comes ready-made", 0, 2 * weights()};
    if (options_.plan.search != "joint") return {"2/6 plan", "by sums of the layers' losses", 0, 2 * weights()};
    const int most = options_.plan.measurements;
    return {"2/6 plan", fmt::format("at most {} plans measured as a whole", most),
            (most + 1) * (rows_ * times_.row + scored_ * times_.head), 2 * weights() + sweep_bytes()};
  }

  [[nodiscard]] StepEstimate heal() const {
    StepEstimate step{"3/6 heal", "", 0, 2 * weights()};
    if (work_.ready_made) {
      step.what = "comes ready-made";
    } else if (work_.heal.none()) {
      step.what = "not asked for";
    } else if (work_.heal.minutes > 0) {
      step.what = fmt::format("for {:g} minutes", work_.heal.minutes);
      step.seconds = 60 * work_.heal.minutes;
    } else {
      const auto tokens = static_cast<double>(work_.heal.tokens);
      step.what = fmt::format("{:.2f} M tokens", tokens / 1e6);
      step.seconds = tokens * heal_token() + healing_text(tokens);
    }
    if (!work_.heal.none() && !work_.ready_made) step.bytes = 2 * weights() + healing_bytes();
    return step;
  }

  [[nodiscard]] StepEstimate eval() const {
    const QualityOptions quality = options_.quality_options();
    double text = 0, seconds = 0;
    std::string what;
    if (quality.texts.empty()) {
      text = static_cast<double>(written_texts) * quality.context;
      if (!work_.written_text_is_kept) seconds += writing(written_texts, quality.context);
      what = "text by the model itself";
    } else {
      for (const std::string& file : quality.texts) {
        const double tokens = tokens_of(file), most = static_cast<double>(quality.limit) * quality.context;
        text += quality.limit > 0 ? std::min(tokens, most) : tokens;
        what += (what.empty() ? "" : ", ") + fs::path(file).filename().string();
      }
    }
    double retrieval = 0;
    // What stands before a wording's first fact is read once, in each of two forms: about half of a question.
    const double questions =
        2.0 * static_cast<double>(wordings_for(WordingUse::report).size()) * quality.retrieval_places;
    for (const int length : quality.retrieval) retrieval += length * 0.65 * questions;
    const int states = work_.healed ? 3 : 2;
    const double read = retrieval * times_.row + task_tokens() * (times_.row + times_.head / 4);
    // With a plan, the unchanged model reads the text beside it.
    seconds += states * read + (2 * states - 1) * text * (times_.row + times_.head);
    what += fmt::format(" ({:.0f} tokens)", text);
    if (!quality.retrieval.empty()) what += fmt::format(", facts in {}", fmt::join(quality.retrieval, ", "));
    if (!quality.tasks.empty()) what += fmt::format(", {} tasks", quality.tasks.size());
    const double kept = 2.0 * (2 * rows_of_step + longest(quality)) * static_cast<double>(position_bytes());
    return {"4/6 eval", what, seconds, static_cast<std::size_t>(states) * weights() + size(kept) + step_bytes()};
  }

  [[nodiscard]] StepEstimate bench() const {
    const SpeedOptions& speed = options_.speed;
    double seconds = 0;
    std::size_t most = 0;
    for (const int prompt : speed.prompts) {
      for (const int batch : speed.batches) {
        const double a_step = times_.step.step_seconds(native_, batch, prompt);
        const double once = batch * prompt * times_.row + speed.generate * a_step;
        const double warm = batch * std::min(prompt, std::max(64, speed.step_tokens / batch)) * times_.row + a_step;
        seconds += 2 * (warm + once * std::clamp(std::ceil(1 / once), 1.0, 8.0));
        const int length = throughput_positions(batch, prompt, speed.generate, speed.step_tokens);
        most = std::max(most, static_cast<std::size_t>(batch) * sequence_bytes(unchanged_, length));
      }
    }
    return {"5/6 bench",
            fmt::format("{} sequences of {} tokens", fmt::join(speed.batches, ", "), fmt::join(speed.prompts, ", ")),
            seconds, 2 * weights() + most + step_bytes()};
  }

 private:
  [[nodiscard]] std::size_t weights() const { return model_.weights.bytes() + program_bytes; }

  [[nodiscard]] std::size_t position_bytes() const {
    const int length = std::max(64, std::min(1024, config_.max_positions > 0 ? config_.max_positions : 1024));
    return sequence_bytes(unchanged_, length) / static_cast<std::size_t>(length);
  }

  /// What the layers hold of the rows that are read at once, and the logits of a block.
  [[nodiscard]] std::size_t step_bytes() const {
    const double numbers = 6.0 * config_.hidden + 3.0 * config_.ffn + 2.0 * config_.q_size() + 2.0 * config_.kv_size();
    return size(4 * (rows_of_step * numbers + 2 * 64.0 * config_.vocab));
  }

  /// A sweep keeps the unchanged model's predictions, two bytes for each token of the vocabulary.
  [[nodiscard]] std::size_t sweep_bytes() const {
    const double caches =
        std::max<double>(2.0 * rows_of_step, std::min(texts_, texts_at_once) * options_.analyze.length) *
        static_cast<double>(position_bytes());
    return size(2 * scored_ * config_.vocab + 3 * 4 * rows_ * config_.hidden + caches) + step_bytes();
  }

  /// The transposed weights, what learns with its moments, and the activations of a step's part.
  [[nodiscard]] std::size_t healing_bytes() const {
    const double D = config_.hidden, F = config_.ffn, Q = config_.q_size(), K = config_.kv_size();
    const double learnt = config_.layers * 16.0 * (2 * (D + Q) + 2 * (D + K) + 3 * (D + F));
    const auto activations = static_cast<double>(activation_bytes(config_, rows_of_step));
    return model_.weights.bytes() + size(6 * 4 * learnt + std::min(activations, 6 * gibibyte)) + 2 * step_bytes();
  }

  [[nodiscard]] double longest(const QualityOptions& quality) const {
    int most = quality.context;
    for (const int length : quality.retrieval) most = std::max(most, length);
    return most;
  }

  /// A file's tokens, by those of its beginning; 0 where it can't be read twice.
  [[nodiscard]] double tokens_of(const fs::path& path) const {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return 0;
    const MappedFile file(path);
    std::string_view sample = file.text().substr(0, sample_bytes);
    sample = sample.substr(0, valid_utf8_prefix(sample));
    if (sample.empty()) return 0;
    return static_cast<double>(model_.text().encode(sample, false).size()) * static_cast<double>(file.text().size()) /
           static_cast<double>(sample.size());
  }

  /// What is before the answers of a question is read once.
  [[nodiscard]] double task_tokens() const {
    constexpr double bytes_of_token = 4;
    double bytes = 0;
    for (const Task& task : read_tasks(options_.analyze.tasks, options_.analyze.limit)) {
      for (const TaskItem& item : task.items) {
        bytes += static_cast<double>(item.pairs.front().context.size());
        for (const TaskPair& pair : item.pairs) bytes += static_cast<double>(pair.continuation.size());
      }
    }
    return bytes / bytes_of_token;
  }

  /// `texts` texts of `length` tokens, written together.
  [[nodiscard]] double writing(int texts, int length) const {
    double seconds = 0;
    for (int left = texts; left > 0; left -= texts_at_once)
      seconds += (length - 1) * times_.step.step_seconds(native_, std::min(left, texts_at_once), length / 2);
    return seconds;
  }

  /// A token of healing: the teacher's pass, the student's, the gradients of what went through the layers and the head
  /// (as much again, and attention's more), and what the optimiser and measurements add.
  [[nodiscard]] double heal_token() const {
    constexpr double passes = 4.5;
    return passes * (times_.row + times_.head);
  }

  /// Writing what healing reads, where that is the model's own text: in parts, and what is held out.
  [[nodiscard]] double healing_text(double tokens) const {
    if (!options_.analyze.text.empty()) return 0;
    const HealOptions heal;
    const int length = config_.max_positions > 0 ? std::min(heal.length, config_.max_positions) : heal.length;
    const auto sequences = static_cast<std::int64_t>(std::ceil(tokens / length));
    const std::int64_t parts = sequences / self_text_part;
    return static_cast<double>(parts) * writing(self_text_part, length) +
           writing(static_cast<int>(sequences % self_text_part), length) + writing(heal.held_out, length);
  }

  const BoostOptions& options_;
  const BoostWork& work_;
  const Model& model_;
  const Config& config_;
  const MixerList& unchanged_;
  const ModelTimes& times_;
  int texts_ = 1;
  double rows_ = 0, scored_ = 0;  // tokens of the calibration, and those of them whose predictions count
  std::vector<MixerSpec> native_;
};

}  // namespace

ModelTimes measure_times(const Model& model, MixerSet& mixers, const CostModel& step) {
  const MixerList& unchanged = mixers.list(native_specs(model.config));
  const int positions = model.config.max_positions > 0 ? model.config.max_positions : 1024;
  ModelTimes times;
  times.step = step;
  for (const int wanted : {64, 1024}) {
    const int rows = std::min(wanted, positions);
    if (times.rows > 0 && (rows <= times.rows || times.rows * times.row > 0.5)) break;
    const Calibration calibration = random_calibration(model, rows);
    CalibrationRunner runner(model, calibration);
    Progress nowhere("", 0, "", {nullptr, false, [] { return 0.0; }});
    runner.record(unchanged, nowhere);  // makes primitives and buffers, too
    std::vector<float> hidden(runner.rows() * static_cast<std::size_t>(model.config.hidden));
    runner.embed(hidden.data());
    const auto seconds_from = [&](int first) {
      const Stopwatch clock;
      runner.measure(unchanged, hidden.data(), first, nowhere);
      return clock.seconds();
    };
    const double whole = seconds_from(0), head = seconds_from(model.config.layers);
    times.rows = rows;
    times.head = head / rows;
    times.row = std::max(whole - head, 1e-9) / rows;
  }
  return times;
}

std::vector<StepEstimate> estimate_boost(const BoostOptions& options, const BoostWork& work, const Model& model,
                                         const MixerList& unchanged, const ModelTimes& times) {
  const Estimator estimator(options, work, model, unchanged, times);
  std::vector<StepEstimate> steps = {estimator.analyze(), estimator.plan(), estimator.heal(), estimator.eval(),
                                     estimator.bench()};
  for (std::size_t i = 0; i < std::min(steps.size(), work.done.size()); ++i) steps[i].done = work.done[i];
  return steps;
}

std::size_t disk_estimate(const BoostWork& work, const Config& config) {
  constexpr std::size_t small_files = std::size_t{8} << 20;  // analysis, plan, results, page, a ready-made adapter
  if (work.heal.none()) return small_files + (work.ready_made ? small_files : 0);
  const double D = config.hidden, F = config.ffn, Q = config.q_size(), K = config.kv_size();
  const double learnt = config.layers * 16.0 * (2 * (D + Q) + 2 * (D + K) + 3 * (D + F));
  // A checkpoint keeps parameters, the best ones, and two moments; a new one is whole before the old one goes.
  return small_files + size(learnt * (2 * 4 * 4 + 2 * 2));
}

std::string to_table(const std::vector<StepEstimate>& steps) {
  std::string table;
  double seconds = 0;
  std::size_t bytes = 0;
  const auto line = [&](const std::string& name, const std::string& time, std::size_t memory, const std::string& what) {
    table +=
        fmt::format("  {:<12} {:<18} {:>5.1f} GiB  {}\n", name, time, static_cast<double>(memory) / gibibyte, what);
  };
  for (const StepEstimate& step : steps) {
    const std::string time = step.seconds > 0 ? "about " + duration_text(step.seconds) : "-";
    line(step.name, step.done ? "there already" : time, step.bytes, step.what);
    if (step.done) continue;
    seconds += step.seconds;
    bytes = std::max(bytes, step.bytes);
  }
  line("all", "about " + duration_text(seconds), bytes, "at most");
  return table;
}

Json to_json(const std::vector<StepEstimate>& steps) {
  Json list = Json::array();
  for (const StepEstimate& step : steps)
    list.push_back({{"step", step.name},
                    {"what", step.what},
                    {"seconds", std::round(step.seconds * 10) / 10},
                    {"memory_bytes", step.bytes},
                    {"done", step.done}});
  return list;
}

void check_room(const std::vector<StepEstimate>& steps, std::size_t memory, const std::filesystem::path& directory,
                std::size_t disk) {
  for (const StepEstimate& step : steps) {
    if (step.done || step.bytes <= memory) continue;
    fail("{} ({}) would need about {:.1f} GiB of memory, and {:.1f} GiB are free: give it less, or free some",
         step.name, step.what, static_cast<double>(step.bytes) / gibibyte, static_cast<double>(memory) / gibibyte);
  }
  std::error_code unknown;
  const fs::space_info space = fs::space(nearest_folder(directory), unknown);
  if (!unknown && space.available < disk)
    fail("{} will take about {} MiB, and its disk has {} MiB left: make room, or give another `output`",
         directory.string(), disk >> 20, space.available >> 20);
}

}  // namespace layerboost
