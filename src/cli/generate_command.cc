#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/opened_ladder.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "generate/bos.h"
#include "generate/generate.h"

namespace layerboost {
namespace {

struct GenerateFlags {
  std::string model, plan;
  std::optional<int> level;
  std::vector<std::string> prompts;
  GenerateOptions generate;
  SamplingFlags sampling;
  CommonOptions common;
};

/// One prompt: its text appears as it is written.
std::vector<Generation> generate_streaming(Subject& subject, const std::vector<std::vector<TokenId>>& prompts,
                                           const GenerateOptions& options) {
  StreamDecoder decoder(subject.model.text(), true, prompts.front());
  auto results = generate(subject, prompts, options, [&](std::size_t, TokenId token) {
    fmt::print("{}", decoder.push(token));
    std::fflush(stdout);
  });
  fmt::print("{}\n", decoder.finish());
  return results;
}

void print_results(const std::vector<std::string>& prompts, const std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < prompts.size(); ++i)
    fmt::print("{}[{}] {}\n{}\n", i == 0 ? "" : "\n", i + 1, prompts[i], texts[i]);
}

Json to_json(const GenerateFlags& options, const std::vector<Generation>& results,
             const std::vector<std::string>& texts) {
  Json generations = Json::array();
  for (std::size_t i = 0; i < results.size(); ++i) {
    generations.push_back({{"prompt", options.prompts[i]},
                           {"text", texts[i]},
                           {"tokens", results[i].tokens.size()},
                           {"stop", results[i].stopped ? "eos" : "length"}});
  }
  return {{"generations", generations}};
}

/// Without a temperature the likeliest tokens are taken, whatever the model's makers say: the same text each time.
Sampling how_to_sample(SamplingFlags flags, const Config& config) {
  flags.own = flags.own && flags.temperature.value_or(0) >= least_temperature;
  return sampling_of(flags, config, {});
}

void run_generate(GenerateFlags& options) {
  RunInfo run = start_run(options.common);
  const Sampling said = how_to_sample(options.sampling, {});  // what is wrong is said before the model is read
  if (said.temperature == 0 && said.top_p < 1) note("--top-p {}: changes nothing at --temperature 0", said.top_p);
  if (said.temperature == 0 && said.top_k > 0) note("--top-k {}: changes nothing at --temperature 0", said.top_k);
  if (said.temperature == 0 && said.min_p > 0) note("--min-p {}: changes nothing at --temperature 0", said.min_p);
  const OpenedModel opened =
      open_model_argument(options.model, options.plan, options.level, options.common.precision, options.common.kv);
  options.generate.sampling = how_to_sample(options.sampling, opened.model->config);
  opened.describe(run);
  const Tokenizer& tokenizer = opened.model->text();
  options.generate.seed = options.common.seed;
  options.generate.stop = end_tokens(*opened.model);
  const TokenId bos = bos_token(tokenizer, BosMode::automatic);
  std::vector<std::vector<TokenId>> prompts;
  for (const std::string& prompt : options.prompts) prompts.push_back(encode_with_bos(tokenizer, prompt, bos));

  Subject subject(*opened.model, opened.list());
  const bool single = prompts.size() == 1;
  const std::vector<Generation> results =
      single ? generate_streaming(subject, prompts, options.generate) : generate(subject, prompts, options.generate);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < results.size(); ++i) texts.push_back(text_of(tokenizer, results[i].tokens, prompts[i]));
  if (!single) print_results(options.prompts, texts);
  if (options.common.json.empty()) return;
  Json json = to_json(options, results, texts);
  json["run"] = run.to_json();
  write_json(options.common.json, json);
}

}  // namespace

void add_generate_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("generate", "Write on from prompts");
  const auto options = std::make_shared<GenerateFlags>();
  add_model_option(*command, options->model);
  command->add_option("PROMPT", options->prompts, "Texts to go on from, all at once")->required()->type_name("");
  add_plan_option(*command, options->plan);
  add_level_option(*command, options->level);
  command->add_option("--tokens", options->generate.tokens, "At most so many new tokens for each prompt")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  add_sampling_options(*command, options->sampling, {});
  command->get_option("--temperature")->default_str("0");
  add_common_options(*command, options->common);
  add_kv_option(*command, options->common);
  command->footer(
      "The prompt is continued as it stands; no chat template is applied.\n\n"
      "Examples:\n"
      "  layerboost generate smollm2-135m \"The capital of France is\"\n"
      "  layerboost generate smollm2-135m --plan plan.json --tokens 200 --temperature 0.8 --top-p 0.95 --seed 3 "
      "\"Once\"\n"
      "  layerboost generate model.gguf \"First prompt\" \"Second prompt\" --json texts.json");
  command->callback([options] { run_generate(*options); });
}

}  // namespace layerboost
