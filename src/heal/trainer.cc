#include "heal/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/leftovers.h"
#include "base/log.h"

namespace layerboost {
namespace {

constexpr const char* stopped_training = "stopped; the same command goes on from the checkpoint";

}  // namespace

int micro_batch_sequences(const HealOptions& options, const Student& student) {
  const int most = options.own_sequences();
  if (options.micro_batch > 0) return std::clamp(options.micro_batch / options.length, 1, most);
  int sequences = std::clamp(2048 / options.length, 1, most);
  while (sequences > 1 && student.recomputed_layers({sequences, options.length}) > 0) --sequences;
  return sequences;
}

std::int64_t match_steps(const HealOptions& options, const Student& student) {
  return student.cores().empty() ? 0 : options.match_steps();
}

Trainer::Trainer(const Model& model, Student& student, HealText& text, const HealOptions& options, TrainFiles files)
    : student_(student),
      text_(text),
      options_(options),
      files_(std::move(files)),
      ranks_(*options.ranks),
      distiller_(model, student, options.loss),
      held_out_(model, text.held_out(), options.questions, options.seed),
      micro_sequences_(micro_batch_sequences(options, student)),
      match_steps_(match_steps(options, student)),
      gradients_(student.parameter_count()),
      all_reduce_(ranks_, [this] {
        if (saved_step_ != state_.step) save();
        return fmt::format("stopped at step {} of {}; the same command goes on from there", state_.step, all_steps());
      }) {}

TrainState Trainer::run() {
  begin();
  Progress progress("heal", (all_steps() - state_.step) * options_.tokens_per_step(), "tokens");
  std::exception_ptr problem;  // what ends this rank: the others hear of it where all add up
  const auto attempt = [&](const auto& part) {
    if (problem) return;
    try {
      part();
    } catch (...) {
      problem = std::current_exception();
    }
  };
  for (;;) {
    LossSums sums;
    attempt([&] {
      if (ranks_.first()) measure_and_save();
      if (!done()) sums = gradients_of_step();
    });
    all_reduce(sums, problem);
    if (done()) return state_;
    all_reduce_.sum(gradients_);
    learn(sums);
    attempt([&] { report(sums, progress); });
  }
}

/// The first rank has the state, from disk or new, and gives it to the others.
void Trainer::begin() {
  check_same_run();
  ranks_.by_first([this] { begin_or_go_on(); });
  if (ranks_.size() > 1) {
    const std::string bytes = ranks_.broadcast(ranks_.first() ? checkpoint_bytes(files_.identity, state_) : "");
    if (!ranks_.first()) {
      state_ = checkpoint_from_bytes(bytes, files_.identity, files_.checkpoint);
      state_.best_x.clear();  // the first keeps them
    }
  }
  student_.assign(state_.x);
  seconds_before_ = state_.seconds;
}

void Trainer::check_same_run() const {
  const Json firsts = parse_json(ranks_.broadcast(files_.identity.dump()), "the first process");
  std::string difference;
  for (const auto& [key, value] : files_.identity.items())
    if (!firsts.contains(key) || firsts[key] != value)
      difference = fmt::format("process {} has {} {} where the first has {}: all must be given the same", ranks_.rank(),
                               key, value.dump(), firsts.value(key, Json()).dump());
  difference = ranks_.first_text(difference);
  if (!difference.empty()) fail("{}", difference);
}

void Trainer::begin_or_go_on() {
  remove_leftovers(files_.checkpoint.parent_path());
  if (auto found = read_checkpoint(files_.checkpoint, files_.identity)) {
    state_ = std::move(*found);
    LB_CHECK(state_.x.size() == student_.parameter_count());  // of the same run, and undamaged
    files_.found(state_);
    saved_step_ = state_.step;
    log_.emplace(files_.log, state_.step, state_.measured_step);
    if (!done()) note("goes on at step {} of {}", state_.step, all_steps());
  } else {
    const std::size_t count = student_.parameter_count();
    state_.x.resize(count);
    state_.m.assign(count, 0);
    state_.v.assign(count, 0);
    student_.initialize(options_.seed, state_.x);
    files_.begin(state_.x);
    log_.emplace(files_.log, -1, -1);
  }
}

/// Adds up the gradients of this rank's part of the step's sequences, some at a time.
LossSums Trainer::gradients_of_step() {
  since_step_ = Stopwatch();
  std::fill(gradients_.begin(), gradients_.end(), 0.0F);
  const int own = options_.own_sequences();
  const std::int64_t first =
      files_.first_sequence + state_.step * options_.sequences_per_step() + std::int64_t{ranks_.rank()} * own;
  LossSums sums;
  for (int done = 0; done < own; done += micro_sequences_) {
    check_interrupt(stopped_training);
    const CoreBatch batch{std::min(micro_sequences_, own - done), options_.length};
    std::vector<TokenId> tokens;
    for (int i = 0; i < batch.sequences; ++i) {
      const std::vector<TokenId> sequence = text_.sequence(first + done + i);
      tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    }
    if (matching()) {
      sums.match += distiller_.match(tokens, batch, gradients_);
      sums.tokens += batch.rows();
    } else {
      sums += distiller_.learn(tokens, batch, gradients_);
    }
  }
  return sums;
}

/// `sums` become those of all ranks; none goes on where one has a problem.
void Trainer::all_reduce(LossSums& sums, std::exception_ptr problem) {
  const auto tokens = static_cast<double>(sums.tokens), targets = static_cast<double>(sums.targets);
  std::array<double, 7> all = {sums.kl, sums.hidden, sums.match, sums.nll, sums.teacher_nll, tokens, targets};
  all_reduce_.sum_or_end(all, std::move(problem));
  sums = {all[0], all[1], all[2], all[3], all[4], static_cast<std::int64_t>(all[5]), static_cast<std::int64_t>(all[6])};
}

/// Takes the step with the gradients of all ranks. The same on each: so are the parameters.
void Trainer::learn(const LossSums& sums) {
  const Profile::Scope time(student_.profile(), Phase::optimizer);
  const auto tokens = static_cast<double>(sums.tokens);
  last_loss_ = matching() ? sums.match / tokens : sums.loss(options_.loss);
  last_norm_ = norm_of(gradients_) / tokens;
  check_divergence(last_loss_, last_norm_);
  update(tokens, last_norm_);
  state_.seconds = seconds_before_ + since_start_.seconds();
}

/// Writes the step just taken to the log and to the progress line.
void Trainer::report(const LossSums& sums, Progress& progress) {
  if (!ranks_.first()) return;
  const auto tokens = static_cast<double>(sums.tokens);
  Json line = {{"step", state_.step}, {"tokens", state_.step * sums.tokens}, {"loss", last_loss_}};
  if (state_.step <= match_steps_) {
    line["match"] = last_loss_;
    progress.remark(fmt::format("mixers' distance {:.4f}", last_loss_));
  } else {
    line["kl"] = sums.kl / tokens;
    line["nll"] = sums.nll / static_cast<double>(std::max<std::int64_t>(1, sums.targets));
    if (options_.loss.hidden > 0) line["hidden"] = sums.hidden / tokens;
    progress.remark(fmt::format("kl {:.4f}", sums.kl / tokens));
  }
  line["lr"] = last_rate_;
  line["norm"] = last_norm_;
  line["tokens_per_second"] = tokens / since_step_.seconds();
  line["seconds"] = state_.seconds;
  log_->add(line);
  progress.advance(sums.tokens);
}

/// In the first stage only the mixers' own parameters move; the second begins with fresh moments.
void Trainer::update(double tokens, double norm) {
  if (state_.step == match_steps_) {
    std::fill(state_.m.begin(), state_.m.end(), 0.0F);
    std::fill(state_.v.begin(), state_.v.end(), 0.0F);
  }
  AdamOptions adam;
  adam.step = matching() ? state_.step + 1 : state_.step - match_steps_ + 1;
  adam.rate = last_rate_ = matching() ? options_.match_rate : rate_at(options_, adam.step);
  adam.beta1 = options_.beta1;
  adam.beta2 = options_.beta2;
  adam.epsilon = options_.epsilon;
  adam.decay = options_.decay;
  adam.gradient_factor = (options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1) / tokens;
  if (ranks_.first() && state_.best_x.empty()) state_.best_x = state_.x;  // until now they were the best
  const std::size_t first = matching() ? student_.first_core_parameter() : 0;
  adam_step(adam, std::span(gradients_).subspan(first), std::span(state_.x).subspan(first),
            std::span(state_.m).subspan(first), std::span(state_.v).subspan(first));
  student_.assign(state_.x);
  state_.step += 1;
}

/// The loss may not become far larger than it was with the student that the run began with.
void Trainer::check_divergence(double loss, double norm) {
  if (state_.step == 0 || state_.step == match_steps_) state_.first_loss = state_.recent_loss = loss;
  const bool exploded = loss > 10 * state_.first_loss + 1 || state_.recent_loss > 2 * state_.first_loss + 0.1;
  if (!std::isfinite(loss) || !std::isfinite(norm) || exploded) {
    if (!ranks_.first()) throw ToldElsewhere();
    fail(
        "training diverged at step {} (loss {:.3g}, gradient {:.3g}): the best adapter, of step {}, is kept; try a "
        "smaller `lr`",
        state_.step + 1, loss, norm, state_.best_step);
  }
  state_.recent_loss = 0.9 * state_.recent_loss + 0.1 * loss;
}

/// Whether to measure now: before the first step, after the last, and at intervals.
bool Trainer::measurement_due() const {
  const std::int64_t interval =
      std::max<std::int64_t>(1, options_.tokens_between_measurements() / options_.tokens_per_step());
  if (state_.measured_step >= state_.step) return false;
  return state_.step == 0 || done() || (!matching() && (state_.step - match_steps_) % interval == 0);
}

void Trainer::measure_and_save() {
  if (measurement_due()) measure();
  if (saved_step_ != state_.step && since_save_.seconds() > 60 * options_.save_minutes) save();
}

void Trainer::measure() {
  const HeldOutResult result = held_out_.measure(distiller_, micro_sequences_);
  const bool first = state_.step == 0;
  if (first) state_.before = result;
  const bool best = first || result.kl < state_.best.kl;
  if (best) {
    state_.best = result;
    state_.best_step = state_.step;
    state_.best_x.clear();
  }
  log_->add({{"step", state_.step}, {"valid", result.to_json()}});
  state_.measured_step = state_.step;
  save();  // before the best is written: a run that is killed in between writes it from the checkpoint
  if (best) files_.save_best(state_);
  const std::string error = std::isfinite(result.kl_error) ? fmt::format(" ± {:.4f}", result.kl_error) : "";
  const std::string found = result.found >= 0 ? fmt::format(", facts {:.0f} %", 100 * result.found) : "";
  note("step {}: held-out kl {:.4f}{}, perplexity {:.3f} (teacher {:.3f}){}", state_.step, result.kl, error,
       result.perplexity, result.teacher_perplexity, found);
}

void Trainer::save() {
  write_checkpoint(files_.checkpoint, files_.identity, state_);
  saved_step_ = state_.step;
  since_save_ = Stopwatch();
}

}  // namespace layerboost
