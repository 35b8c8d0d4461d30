#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/healing_run.h"
#include "base/json.h"
#include "base/ranks.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/quantity.h"
#include "heal/heal.h"
#include "heal/heal_profile.h"

namespace layerboost {
namespace {

struct HealFlags {
  CommonOptions common;
  std::string tokens = "10M", memory = "6G", measure_every, match_tokens;
  HealingOptions healing;
};

void run_profile(const HealingRun& begun, const std::string& json_file) {
  const HealProfile found = profile_heal(*begun.opened.model, begun.plan, begun.options);
  if (found.recomputed > 0)
    fmt::print("the activations of {} layers don't fit --memory and are computed twice\n", found.recomputed);
  fmt::print("{}", profile_table(found.profile, found.seconds, found.roofline));
  fmt::print("{:<20}{:>10.1f} MiB\n", "scratch memory", static_cast<double>(found.scratch_bytes) / (1 << 20));
  if (json_file.empty()) return;
  Json json = {{"run", begun.run.to_json()}};
  json.update(profile_json(found.profile, found.seconds, found.roofline));
  json["scratch_bytes"] = found.scratch_bytes;
  write_json(json_file, json);
}

/// What the flags say, all of it.
HealingOptions options_of(const HealFlags& flags) {
  HealingOptions options = flags.healing;
  HealOptions& heal_options = options.heal;
  heal_options.tokens = parse_count(flags.tokens, "--tokens");
  heal_options.memory = parse_bytes(flags.memory, "--memory");
  if (!flags.measure_every.empty()) heal_options.measure_every = parse_count(flags.measure_every, "--valid-every");
  if (!flags.match_tokens.empty())
    heal_options.match_tokens = flags.match_tokens == "0" ? 0 : parse_count(flags.match_tokens, "--mixer-tokens");
  heal_options.ranks = &Ranks::world();
  options.compute = flags.common;
  options.json = flags.common.json;
  return options;
}

void run_heal(const HealFlags& flags) {
  const HealingOptions options = options_of(flags);
  const HealingRun begun = begin_healing(options);
  const bool first = begun.options.ranks->first();
  if (options.profile) {
    if (first) run_profile(begun, options.json);
    return;
  }
  const HealResult result = heal(*begun.opened.model, begun.plan, begun.options, options.output, begun.run);
  if (!first) return;
  fmt::print("held-out text: kl {:.4f} -> {:.4f}, perplexity {:.3f} -> {:.3f} (base {:.3f})\n", result.before.kl,
             result.after.kl, result.before.perplexity, result.after.perplexity, result.after.teacher_perplexity);
  fmt::print("written to {}; next: layerboost eval {}\n", options.output, options.output);
  if (!options.json.empty())
    write_json(options.json, {{"run", begun.run.to_json()},
                              {"steps", result.steps},
                              {"tokens", result.tokens},
                              {"best_step", result.best_step},
                              {"seconds", result.seconds},
                              {"before", result.before.to_json()},
                              {"after", result.after.to_json()}});
}

void add_data_options(CLI::App& command, HealFlags& options) {
  HealOptions& heal_options = options.healing.heal;
  command
      .add_option(
          "--text", heal_options.text,
          "What to learn from: JSON Lines with \"text\" or plain files; self, chat: text that the model writes; "
          "facts: questions about facts far back. Mixed by weights: book.txt:0.7,chat:0.1,facts:0.2")
      ->delimiter(',')
      ->type_name("SOURCE,..")
      ->default_str("self");
  command.add_option("--tokens", options.tokens, "Tokens to learn from; more than the text has: it is read again")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--length", heal_options.length, "Tokens of a sequence")
      ->type_name("N")
      ->check(whole_number(2, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--batch", heal_options.batch, "Tokens of a step (under mpirun: of each process), in whole sequences")
      ->type_name("N")
      ->check(whole_number(1, 1 << 24))
      ->capture_default_str();
  command.add_option("--micro-batch", heal_options.micro_batch, "Tokens in memory at once; 0: as fits")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_option("--valid", heal_options.valid, "Held-out text; default: the last 1 % of the text")
      ->type_name("FILE");
  command
      .add_option("--valid-every", options.measure_every,
                  "Tokens between measurements; default: 1/20 of the run, at least 8 times the held-out part")
      ->type_name("N");
  command.add_option("--valid-sequences", heal_options.held_out, "Held-out sequences")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  command.add_option("--questions", heal_options.questions, "Held-out questions about facts far back; 0: none")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
}

void add_training_options(CLI::App& command, HealFlags& options) {
  HealOptions& heal_options = options.healing.heal;
  const auto add = [&](const char* flag, double& value, const char* help, const CLI::Validator& check = number(0)) {
    command.add_option(flag, value, help)->type_name("X")->check(check)->capture_default_str();
  };
  command.add_option("--rank", options.healing.rank, "Rank of LoRA; default: 16, or that of a healed MODEL")
      ->type_name("N")
      ->check(whole_number(1, 256));
  command
      .add_option("--alpha", options.healing.alpha,
                  "LoRA's weight is alpha / rank; default: twice the rank, or that of a healed MODEL")
      ->type_name("X")
      ->check(positive_number());
  add("--lr", heal_options.rate, "AdamW's learning rate at its highest", positive_number());
  add("--warmup", heal_options.warm_up, "Share of the steps in which it rises", number(0, 1));
  add("--final-lr", heal_options.final_rate, "What share of it is left at the end (cosine)");
  add("--beta1", heal_options.beta1, "AdamW's mean of gradients", share_below_one());
  add("--beta2", heal_options.beta2, "AdamW's mean of their squares", share_below_one());
  add("--epsilon", heal_options.epsilon, "AdamW's smallest denominator", positive_number());
  add("--weight-decay", heal_options.decay, "AdamW's pull to zero");
  add("--clip", heal_options.clip, "Largest norm of the gradient; 0: any");
  add("--kl", heal_options.loss.kl, "Weight of KL(teacher || student) of the next token");
  add("--ce", heal_options.loss.ce, "Weight of the cross entropy of the text's own next token");
  add("--hidden", heal_options.loss.hidden, "Weight of the distance between hidden states, relative to their size");
  command
      .add_option("--mixer-tokens", options.match_tokens,
                  "Tokens of the first stage, in which mixers that have parameters learn what they replace; default: a "
                  "tenth of --tokens, and none for a healed MODEL")
      ->type_name("N");
  add("--mixer-lr", heal_options.match_rate, "Learning rate of that stage");
  add("--save-every", heal_options.save_minutes, "Minutes between checkpoints");
  command.add_option("--memory", options.memory, "For kept activations; what doesn't fit is computed twice")
      ->type_name("BYTES")
      ->capture_default_str();
}

}  // namespace

void add_heal_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("heal", "Distil a planned model from the unchanged one");
  const auto options = std::make_shared<HealFlags>();
  options->healing.heal.text = {"self"};
  command
      ->add_option("MODEL", options->healing.model,
                   "A GGUF file, a model directory, or a name; or a healed directory, to heal it on with other text")
      ->required()
      ->type_name("");
  command
      ->add_option("--plan", options->healing.plan,
                   "The plan to heal; default: that of a MODEL that boost or heal wrote")
      ->type_name("FILE");
  command->add_option("-o,--output", options->healing.output, "The directory to write; an unfinished run goes on")
      ->type_name("DIR");
  command->add_flag("--profile", options->healing.profile,
                    "Take one step, show where its time goes against its matrix products alone, and write nothing");
  add_data_options(*command, *options);
  add_training_options(*command, *options);
  add_common_options(*command, options->common);
  command->footer(
      "DIR then holds plan.json, adapter.safetensors, heal.json and log.jsonl, and can be given as MODEL to eval, "
      "bench, generate and info.\n"
      "A checkpoint is saved every few minutes and when it is stopped; the same command goes on from it.\n\n"
      "Examples:\n"
      "  layerboost heal smollm2-135m --plan plan.json -o healed --text corpus.jsonl --tokens 4M\n"
      "  layerboost heal model.gguf --plan plan.json -o healed --text self --tokens 1M --length 512\n"
      "  layerboost heal healed -o healed-2 --text chat:0.5,facts:0.5 --tokens 500K    goes on from what healed has\n"
      "  mpirun -n 2 layerboost heal smollm2-135m --plan plan.json -o healed --batch 4096    two share each step");
  command->callback([options] { run_heal(*options); });
}

}  // namespace layerboost
