// Flags that the subcommands share.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "app/compute_options.h"
#include "generate/sampler.h"
#include "model/config.h"

namespace layerboost {

struct CommonOptions : ComputeOptions {
  std::string json;  // --json FILE: where to write the result; empty: not asked for
};

/// Adds --threads and --precision to a subcommand. Requires: `options` lives until the command line is parsed and run.
void add_compute_options(CLI::App& command, CommonOptions& options);

/// Adds --seed to a subcommand. Requires: `options` lives until the command line is parsed and run.
void add_seed_option(CLI::App& command, CommonOptions& options);

/// Adds --json to a subcommand. Requires: `options` lives until the command line is parsed and run.
void add_json_option(CLI::App& command, CommonOptions& options);

/// Adds all of those to a subcommand. Requires: `options` lives until the command line is parsed and run.
void add_common_options(CLI::App& command, CommonOptions& options);

/// Adds the argument MODEL to a subcommand that runs a model. Requires: `model` lives until the command line is parsed
/// and run.
void add_model_option(CLI::App& command, std::string& model, bool required = true);

/// Adds --plan to a subcommand that runs a model. Requires: `plan` lives until the command line is parsed and run.
void add_plan_option(CLI::App& command, std::string& plan);

/// Adds --level to a subcommand that runs a model. Requires: `level` lives until the command line is parsed and run.
void add_level_option(CLI::App& command, std::optional<int>& level);

/// Adds --kv to a subcommand that runs a model. Requires: `options` lives until the command line is parsed and run.
void add_kv_option(CLI::App& command, CommonOptions& options);

/// What a command line says of sampling.
struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  bool own = true;  // what it doesn't say, the model's makers do
};

/// Adds --generation-config to a subcommand. Requires: `own` lives until the command line is parsed and run.
void add_generation_config_option(CLI::App& command, bool& own);

/// Adds that and all of SamplingFlags to a subcommand, whose help names the defaults in `otherwise`. Requires: `flags`
/// lives until the command line is parsed and run.
void add_sampling_options(CLI::App& command, SamplingFlags& flags, const Sampling& otherwise);

/// `otherwise` with what the model's makers say in its place, unless that isn't wanted, and what `flags` say in that
/// of both. Throws Error for what makes no sense.
Sampling sampling_of(const SamplingFlags& flags, const Config& config, const Sampling& otherwise);

/// Notes that a `--context` is more than the model's texts may have; 0: it wasn't given.
void note_context(const Config& config, int context);

}  // namespace layerboost
