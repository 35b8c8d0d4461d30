#include "cli/common.h"

#include <array>

#include "base/log.h"
#include "cli/flag_checks.h"
#include "cli/standard_output.h"
#include "generate/generate.h"

namespace layerboost {
namespace {

constexpr std::array precisions = {Precision::f32, Precision::bf16, Precision::int8};

}  // namespace

void add_compute_options(CLI::App& command, CommonOptions& options) {
  command.add_option("--threads", options.threads, "Threads to use; 0: one per core")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  const auto to_precision = [&options](const std::string& word) {
    for (const Precision precision : precisions)
      if (word == name_of(precision)) options.precision = precision;
  };
  command
      .add_option_function<std::string>("--precision", to_precision, "Arithmetic of matrix products: f32, bf16 or int8")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}).description(""))
      ->type_name("P")
      ->default_str("bf16");
}

void add_seed_option(CLI::App& command, CommonOptions& options) {
  command.add_option("--seed", options.seed, "Seed of everything random")
      ->check(seed_number())
      ->type_name("N")
      ->capture_default_str();
}

void add_json_option(CLI::App& command, CommonOptions& options) {
  const auto to_file = [&options](const std::string& file) {
    options.json = file;
    if (file != "-") return;
    print_to_stderr();
    options.json = "/dev/stdout";
  };
  command
      .add_option_function<std::string>(
          "--json", to_file, "Write the result to this JSON file too; -: to standard output, the report to stderr")
      ->type_name("FILE");
}

void add_common_options(CLI::App& command, CommonOptions& options) {
  add_json_option(command, options);
  add_compute_options(command, options);
  add_seed_option(command, options);
}

void add_model_option(CLI::App& command, std::string& model, bool required) {
  command
      .add_option("MODEL", model,
                  "A GGUF file, a model directory, a directory of boost, heal or ladder, or a name; smollm2-135m has "
                  "the plan that "
                  "comes with the program, smollm2-135m:base has none")
      ->required(required)
      ->type_name("");
}

void add_plan_option(CLI::App& command, std::string& plan) {
  command.add_option("--plan", plan, "Run with this plan")->type_name("FILE");
}

void add_level_option(CLI::App& command, std::optional<int>& level) {
  command
      .add_option("--level", level,
                  "Run with the first N rungs of MODEL's ladder (layerboost ladder); of smollm2-135m, that of the "
                  "unchanged model, so 0 isn't the plan that it has otherwise")
      ->check(whole_number(0))
      ->type_name("N");
}

void add_kv_option(CLI::App& command, CommonOptions& options) {
  const auto to_type = [&options](const std::string& word) {
    options.kv = word == "int8" ? KvType::int8 : KvType::bf16;
  };
  command
      .add_option_function<std::string>("--kv", to_type,
                                        "Keep keys and values in bf16 (f32 under --precision f32) or int8")
      ->check(CLI::IsMember({"bf16", "int8"}).description(""))
      ->type_name("TYPE")
      ->default_str("bf16");
}

void add_generation_config_option(CLI::App& command, bool& own) {
  command
      .add_option_function<std::string>(
          "--generation-config", [&own](const std::string& word) { own = word == "auto"; },
          "Sampling that nothing else says: auto (as the model's makers mean it, where its files tell) or none")
      ->check(CLI::IsMember({"auto", "none"}).description(""))
      ->type_name("MODE")
      ->default_str("auto");
}

void add_sampling_options(CLI::App& command, SamplingFlags& flags, const Sampling& otherwise) {
  const auto unless = [](double number) { return fmt::format("the model's, else {}", number); };
  command.add_option("--temperature", flags.temperature, "Logits are divided by it; 0: the likeliest")
      ->check(number())
      ->type_name("T")
      ->default_str(unless(otherwise.temperature));
  command.add_option("--top-p", flags.top_p, "Sample among the likeliest that have this probability")
      ->check(number())
      ->type_name("P")
      ->default_str(unless(otherwise.top_p));
  command.add_option("--top-k", flags.top_k, "Sample among so many of the likeliest; 0: all")
      ->check(whole_number(0))
      ->type_name("K")
      ->default_str(unless(otherwise.top_k));
  command.add_option("--min-p", flags.min_p, "Leave out what is less likely than this part of the likeliest")
      ->check(number())
      ->type_name("P")
      ->default_str(unless(otherwise.min_p));
  command
      .add_option("--repetition-penalty", flags.repetition_penalty,
                  "Logits of tokens that were there are divided by it; 1: off")
      ->check(number())
      ->type_name("R")
      ->default_str(unless(otherwise.repetition_penalty));
  add_generation_config_option(command, flags.own);
}

Sampling sampling_of(const SamplingFlags& flags, const Config& config, const Sampling& otherwise) {
  Sampling sampling = flags.own ? own_sampling(config, otherwise) : otherwise;
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.min_p = flags.min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = flags.repetition_penalty.value_or(sampling.repetition_penalty);
  check_sampling(sampling, config.vocab);
  return sampling;
}

void note_context(const Config& config, int context) {
  if (config.max_positions > 0 && context > config.longest_text())
    note("--context {}: the model reads texts of up to {} tokens, and no longer ones", context, config.longest_text());
}

}  // namespace layerboost
