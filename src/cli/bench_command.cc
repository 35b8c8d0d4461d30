#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "app/speed.h"
#include "artifact/opened_ladder.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/standard_output.h"
#include "net/server_load.h"
#include "net/trace_load.h"

namespace layerboost {
namespace {

constexpr int tokens_offline = 32, tokens_online = 128;
constexpr double seconds_of_trace = 300;

struct BenchFlags {
  CommonOptions common;
  std::string model, plan;
  std::vector<int> levels;  // of the model's ladder; empty: as it is opened
  SpeedOptions speed;
  int generate = 0;  // 0: not given
  ServerLoadOptions server;
  TraceLoadOptions trace;  // what --trace adds to them; empty `trace`: not given
};

void write_result(const BenchFlags& options, const RunInfo& run, const Json& report) {
  if (options.common.json.empty()) return;
  Json json = {{"run", run.to_json()}};
  json.update(report);
  write_json(options.common.json, json);
}

void bench_model(BenchFlags& options) {
  RunInfo run = start_run(options.common);
  options.speed.roofline = true;
  options.speed.generate = options.generate > 0 ? options.generate : tokens_offline;
  std::optional<OpenedLadder> ladder;
  OpenedModel opened;
  if (options.levels.empty()) {
    constexpr bool needs_text = false;  // prompts are random tokens
    opened = open_model_argument(options.model, options.plan, options.common.precision, options.common.kv, needs_text);
  } else {
    ladder = open_levels(options.model, options.plan, options.levels, options.common);
  }
  (ladder ? ladder->opened : opened).describe(run);
  if (options.levels.size() == 1) run.plan = ladder->plan_hash(options.levels.front());
  const int most = *std::max_element(options.speed.batches.begin(), options.speed.batches.end());
  if (options.speed.step_tokens < 2 * most)
    note("--step-tokens {}: a step of {} sequences has {}, two for each", options.speed.step_tokens, most, 2 * most);
  write_result(options, run,
               ladder ? measure_speed_of_levels(*ladder, options.levels, options.speed, print_now)
                      : measure_speed(opened, opened.list(), options.speed, print_now));
}

void bench_server(BenchFlags& options) {
  if (options.speed.prompts.size() != 1) fail("bench --url: --prompt takes one length");
  ServerLoadOptions& load = options.server;
  load.prompt = options.speed.prompts.front();
  load.generate = options.generate > 0 ? options.generate : tokens_online;
  const char* const key = std::getenv("OPENAI_API_KEY");
  if (load.target.api_key.empty() && key != nullptr) load.target.api_key = key;
  RunInfo run;
  run.seed = options.common.seed;
  TraceLoadOptions& replay = options.trace;
  if (replay.trace.empty()) return write_result(options, run, measure_server(load, options.common.seed, print_now));
  replay.target = load.target;
  replay.vocabulary = load.vocabulary;
  if (!load.rates.empty()) replay.rates = load.rates;
  write_result(options, run, replay_trace(replay, options.common.seed, print_now));
}

void bench(BenchFlags& options) {
  const bool server = !options.server.target.url.empty();
  if (server == !options.model.empty()) fail("bench: name a MODEL, or a server by --url, and not both");
  if (server)
    bench_server(options);
  else
    bench_model(options);
}

void add_server_options(CLI::App& command, ServerLoadOptions& load) {
  CLI::Option* const url =
      command.add_option("--url", load.target.url, "Measure this server of OpenAI's API instead of a model")
          ->type_name("URL");
  const auto add = [&](const char* name, auto& value, const char* what, const char* type) {
    return command.add_option(name, value, what)->type_name(type)->needs(url);
  };
  add("--rate", load.rates, "Requests a second, at random intervals; with --trace: times as fast as it was recorded",
      "R,..")
      ->delimiter(',')
      ->check(number(0.001, 1e6));
  add("--concurrency", load.concurrency, "Requests under way, one following another", "N,..")
      ->delimiter(',')
      ->check(whole_number(1, 4096));
  add("--requests", load.requests, "Requests for each rate and concurrency; with --trace: its first N", "N")
      ->check(whole_number(1, 1 << 20))
      ->capture_default_str();
  add("--served-model", load.target.model, "Name of the model to ask for; default: the server's first", "NAME");
  add("--tokenizer", load.tokenizer, "Send prompts as text, made with this model's tokenizer, not as token ids",
      "MODEL");
  add("--vocab", load.vocabulary, "Tokens are sampled below it; default: what the server says, or 32000", "N")
      ->check(whole_number(1, 1 << 24));
  add("--api-key", load.target.api_key, "The server's key (or set OPENAI_API_KEY)", "KEY");
}

void add_trace_options(CLI::App& command, TraceLoadOptions& replay) {
  CLI::Option* const trace =
      command
          .add_option("--trace", replay.trace,
                      "Replay this trace: a CSV file with TIMESTAMP, ContextTokens, GeneratedTokens, as Azure's are")
          ->type_name("FILE")
          ->needs(command.get_option("--url"));
  const auto add = [&](const char* name, auto& value, const std::string& what, const char* type) {
    return command.add_option(name, value, what)->type_name(type)->needs(trace);
  };
  add("--duration", replay.rules.seconds,
      fmt::format("Replay what arrives in so many seconds; default: {:g}, or all of --requests", seconds_of_trace),
      "SECONDS")
      ->check(positive_number());
  add("--context", replay.rules.context,
      "Drop requests of more tokens, prompt and answer together; default: what the server says", "N")
      ->check(whole_number(2, 1 << 24));
  command
      .add_flag("--turns", replay.rules.turns,
                "Make the trace's requests turns of sessions, each of which sends what was said before again")
      ->needs(trace);
  add("--ttft", replay.targets.ttft, "Count the requests with at most this TTFT", "SECONDS")->check(positive_number());
  add("--tpot", replay.targets.tpot, "Count the requests with at most this TPOT", "SECONDS")->check(positive_number());
}

/// What --trace leaves no use for is refused; how much of the trace is replayed depends on what was given.
void settle_trace(const CLI::App& command, BenchFlags& options) {
  if (options.trace.trace.empty()) fail("--trace is empty: name a file");
  refuse_given(command, {"--prompt", "--generate", "--concurrency", "--tokenizer"}, "isn't for --trace");
  ReplayRules& rules = options.trace.rules;
  if (command.get_option("--requests")->count() > 0)
    rules.requests = options.server.requests;
  else if (command.get_option("--duration")->count() == 0)
    rules.seconds = seconds_of_trace;
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("bench", "Measure speed and memory for many sequences at once");
  const auto options = std::make_shared<BenchFlags>();
  add_model_option(*command, options->model, false);
  command->add_option("--plan", options->plan, "Run with this plan")->type_name("PLAN");
  command->add_option("--level", options->levels, "Run with the first N rungs of MODEL's ladder, one after another")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(0));
  command->add_option("--batch", options->speed.batches, "Sequences at once")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(1, 4096))
      ->capture_default_str();
  command->add_option("--prompt", options->speed.prompts, "Tokens of each prompt")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(1, 1 << 24))
      ->capture_default_str();
  command
      ->add_option("--generate", options->generate,
                   fmt::format("Tokens that each sequence generates; default: {}, of a server {}", tokens_offline,
                               tokens_online))
      ->type_name("N")
      ->check(whole_number(1, 1 << 20));
  command->add_option("--step-tokens", options->speed.step_tokens, "Tokens of one step, as of `serve`")
      ->type_name("N")
      ->check(whole_number(2, 1 << 20))
      ->capture_default_str();
  command->add_flag("--profile", options->speed.profile, "Show where the time of each row goes");
  add_server_options(*command, options->server);
  add_trace_options(*command, options->trace);
  add_common_options(*command, options->common);
  add_kv_option(*command, options->common);
  command->footer(
      "The columns are those of llama-batched-bench: PP tokens of prompt, TG generated, B sequences, T_ seconds, S_ "
      "tokens per second.\n"
      "Below each row, the roofline: the same work's matrix products alone, and the time to read weights and "
      "caches, and to write linear states back.\n\n"
      "Of a server, the columns and JSON fields are those of `vllm bench serve`; of a trace, the JSON has each "
      "request.\n\n"
      "Examples:\n"
      "  layerboost bench smollm2-135m\n"
      "  layerboost bench smollm2-135m --plan plan.json --batch 64 --prompt 1024,4096 --json speed.json\n"
      "  layerboost bench ladder/ --level 0,8,15,22 --batch 64\n"
      "  layerboost bench --url http://127.0.0.1:8080 --concurrency 1,16,64 --requests 200 --json online.json\n"
      "  layerboost bench --url http://127.0.0.1:8080 --rate 1,4 --tokenizer smollm2-135m\n"
      "  layerboost bench --url http://127.0.0.1:8080 --trace AzureLLMInferenceTrace_conv.csv --rate 0.2,0.4 --ttft 10 "
      "--tpot 0.3");
  command->callback([command, options] {
    if (!options->server.target.url.empty())
      refuse_given(*command,
                   {"--plan", "--level", "--batch", "--step-tokens", "--profile", "--threads", "--precision", "--kv"},
                   "is for a MODEL, not for --url");
    if (command->get_option("--trace")->count() > 0) settle_trace(*command, *options);
    bench(*options);
  });
}

}  // namespace layerboost
