#include "cli/common.h"

#include <array>

#include "base/cpu.h"
#include "cli/flag_checks.h"
#include "cli/standard_output.h"

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

void add_common_options(CLI::App& command, CommonOptions& options) {
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
  add_compute_options(command, options);
  add_seed_option(command, options);
}

void add_model_option(CLI::App& command, std::string& model, bool required) {
  command.add_option("MODEL", model, "A GGUF file, a model directory, a directory of boost or heal, or a name")
      ->required(required)
      ->type_name("");
}

void add_plan_option(CLI::App& command, std::string& plan) {
  command.add_option("--plan", plan, "Run with this plan")->type_name("FILE");
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

RunInfo start_run(const CommonOptions& options) {
  best_isa();  // says so at once when the CPU is too old
  RunInfo run;
  run.threads = use_threads(options.threads);
  run.seed = options.seed;
  if (options.kv == KvType::int8) run.kv = "int8";
  run.precision = name_of(options.precision);
  return run;
}

}  // namespace layerboost
