#include "generate/generate.h"

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "generate/logits_processors.h"
#include "generate/run_schedule.h"

namespace layerboost {
namespace {

using OnToken = std::function<void(std::size_t, TokenId)>;

void check_prompts(const Model& model, std::span<const std::vector<TokenId>> prompts, int tokens) {
  const int most = model.config.longest_text();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].empty()) fail("prompt {} is empty", i + 1);
    if (most > 0 && prompts[i].size() + static_cast<std::size_t>(tokens) > static_cast<std::size_t>(most))
      fail("prompt {} has {} tokens: with {} more, but the model reads texts of up to {} tokens", i + 1,
           prompts[i].size(), tokens, most);
  }
}

/// Some callers write texts in many calls: once is enough.
void note_slow_texts_once(const Config& config, std::span<const std::vector<TokenId>> prompts, int tokens) {
  static std::atomic<bool> noted = false;
  const bool slow = std::ranges::any_of(prompts, [&](const std::vector<TokenId>& prompt) {
    return config.beyond_positions(std::ssize(prompt) + tokens);
  });
  if (slow && !noted.exchange(true)) note_slow_texts(config);
}

/// Sequences being written.
class Writer {
 public:
  /// Requires: `prompts` outlive this.
  Writer(Subject& subject, std::span<const std::vector<TokenId>> prompts, const GenerateOptions& options,
         const OnToken& on_token)
      : subject_(subject), prompts_(prompts), options_(options), on_token_(on_token), results_(prompts.size()) {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      sequences_.emplace_back(subject.mixers, subject.pools);
      random_.push_back(Random(options.seed).fork(options.first_stream + i));
      processors_.emplace_back(options_.sampling, prompts[i]);
    }
    errors_.resize(prompts.size(), damaged_model);  // where the caller chooses
  }

  /// One more token for each sequence that hasn't ended; false when all have.
  bool write() {
    clear_step();
    std::vector<std::size_t> unread;  // nothing is read yet, or all of it with the rotations of a shorter text
    for (std::size_t i = 0; i < results_.size(); ++i) {
      Generation& result = results_[i];
      if (result.stopped || result.tokens.size() >= static_cast<std::size_t>(options_.tokens)) continue;
      if (sequences_[i].length() == 0 || sequences_[i].rotations() != rotations_of(i)) {
        unread.push_back(i);
        continue;
      }
      rows_.push_back(static_cast<int>(items_.size()));
      ends_.push_back(i);
      items_.push_back({&sequences_[i], std::span(result.tokens).last(1)});
    }
    if (items_.empty() && unread.empty()) return false;
    if (!items_.empty()) step();
    if (!unread.empty()) read_whole(unread);
    return true;
  }

  std::vector<Generation> take() { return std::move(results_); }

 private:
  [[nodiscard]] int rotations_of(std::size_t sequence) const {
    return subject_.model.config.rope.rotations(
        static_cast<int>(prompts_[sequence].size() + results_[sequence].tokens.size()));
  }

  /// Reads all that there is of these texts, in steps of limited size, and samples a token for each.
  void read_whole(const std::vector<std::size_t>& which) {
    std::vector<TokenRun> runs(which.size());
    for (std::size_t i = 0; i < which.size(); ++i) {
      const std::size_t sequence = which[i];
      runs[i].tokens = prompts_[sequence];
      runs[i].tokens.insert(runs[i].tokens.end(), results_[sequence].tokens.begin(), results_[sequence].tokens.end());
      sequences_[sequence] = Sequence(subject_.mixers, subject_.pools);
      sequences_[sequence].set_rotations(rotations_of(sequence));
    }
    RunSchedule schedule(runs);
    for (auto pieces = schedule.next(); !pieces.empty(); pieces = schedule.next()) {
      check_interrupt("stopped");
      clear_step();
      int row = 0;
      for (const RunPiece& piece : pieces) {
        const auto run = static_cast<std::size_t>(piece.run);
        const std::size_t sequence = which[run];
        const std::span<const TokenId> tokens = runs[run].tokens;
        items_.push_back({&sequences_[sequence], tokens.subspan(static_cast<std::size_t>(piece.first),
                                                                static_cast<std::size_t>(piece.count))});
        row += piece.count;
        if (static_cast<std::size_t>(piece.first + piece.count) < tokens.size()) continue;
        rows_.push_back(row - 1);
        ends_.push_back(sequence);
      }
      step();
    }
  }

  void clear_step() {
    items_.clear();
    rows_.clear();
    ends_.clear();
  }

  /// Runs items_ and samples a token for sequence ends_[i] from the logits of row rows_[i].
  void step() {
    const float* hidden = subject_.runner.forward(items_);
    std::size_t done = 0;
    subject_.runner.logits(hidden, rows_, [&](const LogitsBlock& block) {
      const int count = static_cast<int>(block.rows.size());
      const KernelScratch::Threads threads = scratch_.threads();
#pragma omp parallel for schedule(dynamic)
      for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const std::size_t sequence = ends_[done + at];
        append(sequence, options_.choose ? options_.choose(sequence, block, at)
                                         : sample_token(sequence, block, at, threads.mine()));
      }
      done += block.rows.size();
    });
    for (const std::size_t sequence : ends_) {
      if (!results_[sequence].stopped && results_[sequence].tokens.back() < 0) fail("{}", errors_[sequence]);
      if (on_token_ && !results_[sequence].stopped) on_token_(sequence, results_[sequence].tokens.back());
    }
  }

  TokenId sample_token(std::size_t sequence, const LogitsBlock& block, std::size_t row, ScratchStack& scratch) {
    const Chosen chosen = sample(block.row(row), block.scale(row), block.vocab, options_.sampling,
                                 processors_[sequence], {}, random_[sequence], scratch);
    if (chosen.error != nullptr) errors_[sequence] = chosen.error;
    return chosen.token;
  }

  void append(std::size_t sequence, TokenId token) {
    Generation& result = results_[sequence];
    result.stopped = std::find(options_.stop.begin(), options_.stop.end(), token) != options_.stop.end();
    if (result.stopped) return;
    result.tokens.push_back(token);
    processors_[sequence].see(token);
  }

  Subject& subject_;
  const std::span<const std::vector<TokenId>> prompts_;
  const GenerateOptions& options_;
  const OnToken& on_token_;
  std::vector<Generation> results_;
  std::vector<Sequence> sequences_;
  std::vector<Random> random_;
  std::vector<LogitsProcessors> processors_;
  std::vector<const char*> errors_;  // why no token was chosen
  KernelScratch scratch_;
  // The current step.
  std::vector<BatchItem> items_;
  std::vector<int> rows_;
  std::vector<std::size_t> ends_;
};

}  // namespace

std::vector<TokenId> end_tokens(const Model& model) {
  std::vector<TokenId> tokens(model.config.eos.begin(), model.config.eos.end());
  tokens.push_back(model.text().eos());
  // The tokenizer may have tokens that the model can't write: they have no logit.
  const std::vector<int>& none = model.config.not_eos;
  std::erase_if(tokens, [&](TokenId token) {
    return token < 0 || token >= model.config.vocab || std::find(none.begin(), none.end(), token) != none.end();
  });
  return tokens;
}

Sampling own_sampling(const Config& config, Sampling otherwise) {
  const SamplingDefaults& own = config.sampling;
  Sampling sampling = std::move(otherwise);
  sampling.temperature = own.temperature.value_or(sampling.temperature);
  sampling.top_p = own.top_p.value_or(sampling.top_p);
  sampling.min_p = own.min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = own.repetition_penalty.value_or(sampling.repetition_penalty);
  if (own.top_k) sampling.top_k = static_cast<int>(std::clamp<double>(*own.top_k, 0, config.vocab));
  try {
    check_sampling(sampling, config.vocab);
  } catch (const Error& error) {
    fail(
        "the model's own way of sampling (generation_config.json, or general.sampling in GGUF): {}; "
        "`generation-config` none does without it",
        error.what());
  }
  return sampling;
}

void note_slow_texts(const Config& config) {
  warn(
      "texts of more than the model's {} positions are slow to write: RoPE of the type dynamic then changes with each "
      "token, and all of the text is read anew for it",
      config.max_positions);
}

std::vector<Generation> generate(Subject& subject, std::span<const std::vector<TokenId>> prompts,
                                 const GenerateOptions& options,
                                 const std::function<void(std::size_t, TokenId)>& on_token) {
  check_prompts(subject.model, prompts, options.tokens);
  note_slow_texts_once(subject.model.config, prompts, options.tokens);
  Writer writer(subject, prompts, options, on_token);
  while (writer.write()) check_interrupt("stopped");
  return writer.take();
}

}  // namespace layerboost
