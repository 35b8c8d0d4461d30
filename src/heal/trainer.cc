#include "heal/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace layerboost {
namespace {

constexpr const char* stopped = "stopped; the same command goes on from the checkpoint";

Json finite(double x) { return std::isfinite(x) ? Json(x) : Json(); }

}  // namespace

int micro_batch_sequences(const HealOptions& options, const Student& student) {
  const int most = options.sequences_per_step();
  if (options.micro_batch > 0) return std::clamp(options.micro_batch / options.length, 1, most);
  int sequences = std::clamp(2048 / options.length, 1, most);
  while (sequences > 1 && student.recomputed_layers({sequences, options.length}) > 0) --sequences;
  return sequences;
}

Trainer::Trainer(const Model& model, Student& student, HealText& text, const HealOptions& options, TrainFiles files)
    : student_(student),
      text_(text),
      options_(options),
      files_(std::move(files)),
      distiller_(model, student, options.loss),
      held_out_(model, text.held_out(), options.passkeys, options.seed),
      micro_sequences_(micro_batch_sequences(options, student)),
      gradients_(student.parameter_count()) {}

TrainState Trainer::run() {
  begin();
  const std::int64_t each = std::int64_t{options_.sequences_per_step()} * options_.length, steps = options_.steps();
  Progress progress("heal", (steps - state_.step) * each, "tokens");
  try {
    for (;;) {
      if (measurement_due()) measure();
      if (state_.step == steps) break;
      check_interrupt(stopped);
      step(progress);
      if (since_save_.seconds() > 60 * options_.save_minutes) save();
    }
  } catch (const Interrupted&) {
    save();
    throw Interrupted(fmt::format("stopped at step {} of {}; the same command goes on from there", state_.step, steps));
  }
  return state_;
}

void Trainer::begin() {
  if (auto found = read_checkpoint(files_.checkpoint, files_.identity)) {
    state_ = std::move(*found);
    if (state_.x.size() != student_.parameter_count())
      fail("{} is damaged: remove it to begin again", files_.checkpoint.string());
    student_.assign(state_.x);
    log_.emplace(files_.log, state_.step, state_.measured_step);
    if (state_.step < options_.steps()) note("goes on at step {} of {}", state_.step, options_.steps());
  } else {
    const std::size_t count = student_.parameter_count();
    state_.x.resize(count);
    state_.m.assign(count, 0);
    state_.v.assign(count, 0);
    student_.initialize(options_.seed, state_.x);
    student_.assign(state_.x);
    log_.emplace(files_.log, -1, -1);
  }
  seconds_before_ = state_.seconds;
}

void Trainer::step(Progress& progress) {
  const Stopwatch clock;
  std::fill(gradients_.begin(), gradients_.end(), 0.0F);
  LossSums sums = gradients_of_step();
  sum_over_ranks(sums);
  const double loss = sums.loss(options_.loss);
  double norm = 0;
  {
    const Profile::Scope time(student_.profile(), Phase::optimizer);
    norm = norm_of(gradients_) / static_cast<double>(sums.tokens);
    check_divergence(loss, norm);
    update(sums);
  }
  const double rate = rate_at(options_, state_.step);
  const double kl = sums.kl / static_cast<double>(sums.tokens);
  Json line = {{"step", state_.step},
               {"tokens", state_.step * sums.tokens},
               {"loss", finite(loss)},
               {"kl", finite(kl)},
               {"nll", finite(sums.nll / static_cast<double>(std::max<std::int64_t>(1, sums.targets)))}};
  if (options_.loss.hidden > 0) line["hidden"] = finite(sums.hidden / static_cast<double>(sums.tokens));
  line["lr"] = rate;
  line["norm"] = finite(norm);
  line["tokens_per_second"] = static_cast<double>(sums.tokens) / clock.seconds();
  state_.seconds = seconds_before_ + since_start_.seconds();
  line["seconds"] = state_.seconds;
  log_->add(line);
  progress.remark(fmt::format("kl {:.4f}", kl));
  progress.advance(sums.tokens);
}

/// Adds up the gradients of this step's sequences, some at a time.
LossSums Trainer::gradients_of_step() {
  const std::int64_t first = state_.step * options_.sequences_per_step();
  LossSums sums;
  for (int done = 0; done < options_.sequences_per_step(); done += micro_sequences_) {
    check_interrupt(stopped);
    const int count = std::min(micro_sequences_, options_.sequences_per_step() - done);
    std::vector<TokenId> tokens;
    for (int i = 0; i < count; ++i) {
      const std::vector<TokenId> sequence = text_.sequence(first + done + i);
      tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    }
    sums += distiller_.learn(tokens, {count, options_.length}, gradients_);
  }
  return sums;
}

/// Where the gradients of several processes are added up: gradients_ and sums are this one's. With one process there is
/// nothing to do.
void Trainer::sum_over_ranks(LossSums& /*sums*/) {}

void Trainer::update(const LossSums& sums) {
  const auto tokens = static_cast<double>(sums.tokens);
  const double norm = norm_of(gradients_) / tokens;
  AdamOptions adam;
  adam.step = state_.step + 1;
  adam.rate = rate_at(options_, adam.step);
  adam.beta1 = options_.beta1;
  adam.beta2 = options_.beta2;
  adam.epsilon = options_.epsilon;
  adam.decay = options_.decay;
  adam.gradient_factor = (options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1) / tokens;
  adam_step(adam, gradients_, state_.x, state_.m, state_.v);
  student_.assign(state_.x);
  state_.step += 1;
}

/// The loss may not become far larger than it was with the untrained student.
void Trainer::check_divergence(double loss, double norm) {
  if (state_.step == 0) state_.first_loss = state_.recent_loss = loss;
  const bool exploded = loss > 10 * state_.first_loss + 1 || state_.recent_loss > 2 * state_.first_loss + 0.5;
  if (!std::isfinite(loss) || !std::isfinite(norm) || exploded)
    fail(
        "training diverged at step {} (loss {:.3g}, gradient {:.3g}): the best adapter, of step {}, is kept; try a "
        "smaller --lr",
        state_.step + 1, loss, norm, state_.best_step);
  state_.recent_loss = 0.9 * state_.recent_loss + 0.1 * loss;
}

/// Before the first step, after the last, and at intervals.
bool Trainer::measurement_due() const {
  const std::int64_t each = std::int64_t{options_.sequences_per_step()} * options_.length, steps = options_.steps();
  const std::int64_t wanted = options_.measure_every > 0 ? options_.measure_every / each : (steps + 19) / 20;
  const std::int64_t interval = std::max<std::int64_t>(1, wanted);
  return state_.measured_step < state_.step && (state_.step % interval == 0 || state_.step == steps);
}

void Trainer::measure() {
  const HeldOutResult result = held_out_.measure(distiller_, micro_sequences_);
  const bool first = state_.step == 0;
  if (first) state_.before = result;
  if (first || result.kl < state_.best.kl) {
    state_.best = result;
    state_.best_step = state_.step;
    files_.save_best(state_);
  }
  log_->add({{"step", state_.step}, {"valid", result.to_json()}});
  state_.measured_step = state_.step;
  save();
  const std::string passkey = result.passkey >= 0 ? fmt::format(", passkey {:.0f} %", 100 * result.passkey) : "";
  note("step {}: held-out kl {:.4f} ± {:.4f}, perplexity {:.3f} (teacher {:.3f}){}", state_.step, result.kl,
       result.kl_error, result.perplexity, result.teacher_perplexity, passkey);
}

void Trainer::save() {
  write_checkpoint(files_.checkpoint, files_.identity, state_);
  since_save_ = Stopwatch();
}

}  // namespace layerboost
