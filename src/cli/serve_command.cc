#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "app/serving_levels.h"
#include "artifact/opened_ladder.h"
#include "artifact/opened_model.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/quantity.h"
#include "engine/engine.h"
#include "server/server.h"

namespace layerboost {
namespace {

struct ServeFlags {
  std::string model, plan;
  std::optional<std::string> api_key;
  std::string memory, max_body;  // such as "4G"
  std::string chat_template;     // a file
  std::string levels = "off";
  std::optional<int> level;
  std::optional<std::string> quality;
  LevelOptions level_options;  // what other flags say
  EngineOptions engine;
  ServerOptions server;
  CommonOptions common;
};

/// "models/smollm2-135m.gguf" is served as "smollm2-135m", "." by the name of this directory.
std::string served_name(const std::string& model) {
  fs::path path = model;
  if (!path.has_filename()) path = path.parent_path();
  std::error_code missing;
  if (path.filename() == "." || path.filename() == "..") path = fs::canonical(path, missing);
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

/// Each connection is an open file: as many as the system lets this process have.
void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Where there are many cores, one is kept for the event loop; where there are few, it would be missed.
int threads_to_use(int asked) {
  constexpr int many = 8;
  const int threads = default_threads();
  return asked == 0 && threads >= many ? threads - 1 : asked;
}

/// `given`: by --api-key. An empty key, of a script's variable that isn't set, say, would leave the server open.
std::string api_key(const std::optional<std::string>& given) {
  const char* const set = std::getenv("LAYERBOOST_API_KEY");
  if (!given && set == nullptr) return "";
  std::string key = given ? *given : set;
  if (key.empty())
    fail("{} is empty: give a key, or {} to let everybody ask", given ? "--api-key" : "LAYERBOOST_API_KEY",
         given ? "leave it out" : "unset it");
  return key;
}

/// Browsers send a site as scheme, host and port in small letters, and that is compared as it is.
void check_origin(const std::string& site) {
  const std::size_t scheme = site.find("://");
  const auto part_of_host = [](char c) {
    return c > ' ' && c <= '~' && !(c >= 'A' && c <= 'Z') && c != '/' && c != '*';
  };
  const bool good = scheme != std::string::npos && scheme > 0 && scheme + 3 < site.size() &&
                    std::all_of(site.begin(), site.begin() + static_cast<std::ptrdiff_t>(scheme), part_of_host) &&
                    std::all_of(site.begin() + static_cast<std::ptrdiff_t>(scheme) + 3, site.end(), part_of_host);
  if (!good && site != "*")
    fail("--allow-origin: {} isn't a site; give it as https://chat.example.org, in small letters and without a path",
         in_quotes(site));
}

void complete(ServeFlags& options) {
  options.common.threads = threads_to_use(options.common.threads);
  if (!options.memory.empty()) options.engine.memory = parse_bytes(options.memory, "--memory");
  if (!options.max_body.empty()) options.server.limits.body = parse_bytes(options.max_body, "--max-body");
  if (!options.chat_template.empty()) options.server.chat_template = read_file_or_pipe(options.chat_template);
  if (options.server.name.empty()) options.server.name = served_name(options.model);
  options.server.api_key = api_key(options.api_key);
  for (const std::string& site : options.server.allow_origins) check_origin(site);
  AllowedHosts(options.server.allow_hosts);  // what isn't a name is told before the model is opened
}

bool follows_load(const LevelOptions& options) {
  return options.mode == LevelMode::automatic || options.mode == LevelMode::per_request;
}

/// What the flags say of levels, but for what only the ladder knows.
LevelOptions level_options(const ServeFlags& flags) {
  LevelOptions options = flags.level_options;
  const LevelOptions words = parse_levels(flags.level ? fmt::format("fixed:{}", *flags.level) : flags.levels);
  options.mode = words.mode;
  options.level = words.level;
  const bool adapts = follows_load(options);
  if (options.by_length && !adapts) fail("--caps-by-length: use it with --levels auto or per-request");
  if ((options.first_token > 0 || options.between_tokens > 0) && options.mode != LevelMode::automatic)
    fail("--ttft and --tpot are targets for --levels auto; without it nothing would follow them");
  return options;
}

/// Says in a line how the ladder is going to be used. `limited`: whether `limits` bound what requests can ask for, of
/// which `highest` is the highest.
void say_levels(const Ladder& ladder, const LevelOptions& levels, const QualityLimits& limits, bool limited,
                int highest) {
  if (limited && highest_level(ladder, limits) < 0) {
    note("warning: level 0 itself doesn't keep the limit of quality ({}), or wasn't measured: there is only level 0",
         to_string(limits));
  } else if (levels.mode == LevelMode::off) {
    note("level 0 of 0 to {}, unless a request asks for another; --levels auto follows the load", highest);
  } else if (levels.mode == LevelMode::fixed) {
    note("level {} of 0 to {}, unless a request asks for another", levels.level, highest);
  } else if (levels.cap == 0) {
    note("warning: no level but 0 keeps the limit of quality ({}): there is only level 0", to_string(limits));
  } else {
    const std::string others = levels.cap == ladder.top() ? "" : fmt::format("; those up to {} don't", ladder.top());
    note("levels 0 to {}, given by load, keep the limit of quality ({}){}", levels.cap, to_string(limits), others);
  }
}

/// The model that is served, with its ladder if there is one to be used.
struct Served {
  OpenedModel opened;
  std::optional<Ladder> ladder;
  std::vector<const MixerList*> plans;  // by level
  std::vector<std::string> hashes;      // of the plans
};

Served open_served(const ServeFlags& flags) {
  Served served;
  if (flags.engine.levels.mode != LevelMode::off || find_model_files(flags.model, flags.plan).ladder != nullptr) {
    if (!flags.plan.empty()) fail("--plan: a ladder has its own; leave out --levels, or make a ladder of this plan");
    OpenedLadder ladder = open_ladder(flags.model, flags.common.precision, flags.common.kv);
    served.plans = ladder.levels();
    for (int level = 0; level <= ladder.ladder.top(); ++level) served.hashes.push_back(ladder.plan_hash(level));
    served.ladder = std::move(ladder.ladder);
    served.opened = std::move(ladder.opened);
  } else {
    served.opened = open_model_argument(flags.model, flags.plan, flags.common.precision, flags.common.kv);
    served.plans = {&served.opened.list()};
    served.hashes = {served.opened.plan_hash};
  }
  served.opened.model->close_files();
  return served;
}

/// What the server tells of the levels.
LevelTable level_table(const Served& served, const LevelOptions& options) {
  const Ladder& ladder = *served.ladder;
  LevelTable table{{}, options};
  for (std::size_t level = 0; level < served.plans.size(); ++level) {
    LevelFacts& facts = table.levels.emplace_back();
    facts.plan = served.hashes[level];
    facts.mixers = mixers_in_words(*served.plans[level]);
    if (level > 0) facts.rung = to_string(ladder.rungs[level - 1]);
    const std::optional<LevelQuality>& quality = ladder.quality[level];
    if (!quality) continue;
    facts.perplexity_ratio = quality->perplexity_ratio;
    facts.kl = quality->kl;
    facts.kv_fraction = quality->kv_fraction;
  }
  return table;
}

void run_serve(ServeFlags options) {
  complete(options);
  start_run(options.common);
  options.engine.levels = level_options(options);
  QualityLimits limits;
  if (options.quality) limits = parse_quality_limits(*options.quality);
  Served served = open_served(options);
  const OpenedModel& opened = served.opened;
  if (options.quality && !served.ladder)
    fail("--quality says which levels may be served, and {} has no ladder", options.model);
  if (served.ladder) {
    if (!options.quality) limits = usual_limits(*served.ladder);
    options.engine.levels = with_ladder(options.engine.levels, *served.ladder, limits);
    const LevelOptions& levels = options.engine.levels;
    if (options.quality && levels.mode == LevelMode::fixed && levels.level > levels.cap)
      fail("--levels fixed:{}: only levels 0 to {} keep the limit of quality ({})", levels.level, levels.cap,
           to_string(limits));
    // What loses more than the limit can't be asked for either.
    const bool limited = follows_load(levels) || options.quality;
    if (limited) served.plans.resize(static_cast<std::size_t>(levels.cap) + 1);
    options.server.levels = level_table(served, options.engine.levels);
    say_levels(*served.ladder, options.engine.levels, limits, limited, static_cast<int>(std::ssize(served.plans)) - 1);
  }
  options.server.plan = opened.plan_hash;
  options.server.kv = options.common.kv;
  const int asked = options.server.limits.positions, positions = opened.model->config.max_positions;
  if (positions > 0 && asked > positions)
    note("--context {}: the model has {} positions, and no more", asked, positions);
  allow_many_files();
  Engine engine(*opened.model, served.plans, options.engine);
  const Server server(engine, *opened.model, opened.list(), options.server);
  if (!server.on_loopback() && options.server.api_key.empty())
    note("whoever reaches this machine's port {} may ask: there is no --api-key", server.port());
  const std::string& host = options.server.host;
  const std::string address = host.find(':') == std::string::npos ? host : "[" + host + "]";
  note("{} is served at http://{}:{}/ (the API below /v1); Ctrl-C finishes what was begun and ends",
       options.server.name, address, server.port());
  engine.run();
}

void add_levels(CLI::App& command, ServeFlags& options) {
  CLI::Option* const levels =
      command
          .add_option("--levels", options.levels,
                      "Levels of the model's ladder: off; fixed:N; auto: by load, a little quality for room; "
                      "per-request: as each finds room")
          ->type_name("WORD")
          ->capture_default_str();
  command.add_option("--level", options.level, "The same as --levels fixed:N")
      ->type_name("N")
      ->check(whole_number(0))
      ->excludes(levels);
  command
      .add_option(
          "--quality", options.quality,
          "The most that levels may lose: a perplexity so many times the model's own, kl:NATS, found:SHARE of the "
          "facts that it finds, or several with commas; default where they follow the load: 1.05,found:0.8")
      ->type_name("LIMIT,..");
  command
      .add_option("--ttft", options.level_options.first_token,
                  "With --levels auto: seconds that a request may wait for its first token; 0: any time")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--tpot", options.level_options.between_tokens,
                  "With --levels auto: seconds between the tokens of a sequence; 0: any time")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--cooldown", options.level_options.cooldown,
                  "With --levels auto: seconds that the load must be low for each step down")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag(
      "--caps-by-length", options.level_options.by_length,
      "Short prompts keep more: at most 1/8 of the layers below 2048 tokens, 2/8 below 4096, 3/8 below 8192");
}

void add_limits(CLI::App& command, ServeFlags& options) {
  Limits& limits = options.server.limits;
  command.add_option("--max-queue", options.engine.max_queue, "Sequences that may wait; more are refused with 429")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  command
      .add_option("--context", limits.positions,
                  "Tokens of prompt and answer together; 0: the model's, or what --memory holds")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_option("--max-tokens", limits.max_tokens, "Tokens that one answer may have; 0: the context")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_option("--max-body", options.max_body, "Size of a request")->type_name("BYTES")->default_str("8M");
  command.add_option("--max-connections", limits.connections, "Connections open at the same time")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
}

void add_engine_options(CLI::App& command, ServeFlags& options) {
  command.add_option("--memory", options.memory, "Memory for all caches, such as 4G; default: half of what is free")
      ->type_name("BYTES");
  command.add_option("--max-sequences", options.engine.max_sequences, "Sequences written at the same time")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  command
      .add_option("--preallocate", options.engine.preallocate,
                  "Tokens of each of these sequences whose memory is taken at once, so that no request waits for it")
      ->type_name("N")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_option("--step-tokens", options.engine.step_tokens, "Tokens of one step: fewer give steadier streams")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  command.add_flag_callback(
      "--no-prefix-cache", [&options] { options.engine.prefix_cache = false; },
      "Read beginnings that sequences share each time anew");
}

}  // namespace

void add_serve_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("serve", "Answer many people at once through OpenAI's API");
  const auto options = std::make_shared<ServeFlags>();
  add_model_option(*command, options->model);
  add_plan_option(*command, options->plan);
  command->add_option("--host", options->server.host, "Address to listen on; 0.0.0.0: all of this machine's")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--port", options->server.port, "Port to listen on; 0: any free one")
      ->type_name("N")
      ->check(whole_number(0, 65535))
      ->capture_default_str();
  command->add_option("--name", options->server.name, "Name of the model in the API; default: MODEL's last part")
      ->type_name("NAME");
  command
      ->add_option("--api-key", options->api_key,
                   "Answer only those who send this key (or set LAYERBOOST_API_KEY, which other users can't see)")
      ->type_name("KEY");
  command
      ->add_option("--allow-host", options->server.allow_hosts,
                   "Answer to this name, too (again for others); on 127.0.0.1 without a key others than localhost and "
                   "addresses are refused")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--allow-origin", options->server.allow_origins,
                   "Let pages of this site ask, too, such as https://chat.example.org (again for others); '*': of all")
      ->type_name("SITE")
      ->allow_extra_args(false);
  command->add_flag("--log-requests", options->server.log_requests,
                    "A line on stderr for each request: id, status, times, tokens; nothing of its text");
  command->add_option("--chat-template", options->chat_template, "Jinja template in place of the model's own")
      ->type_name("FILE");
  add_generation_config_option(*command, options->server.model_sampling);
  add_engine_options(*command, *options);
  add_limits(*command, *options);
  add_levels(*command, *options);
  add_compute_options(*command, options->common);
  add_kv_option(*command, options->common);
  command->footer(
      "Then open http://127.0.0.1:8080/ or use any client of OpenAI's API; docs/serving.md tells the rest.\n\n"
      "Examples:\n"
      "  layerboost serve smollm2-135m\n"
      "  layerboost serve smollm2-135m --levels auto --memory 2G\n"
      "  layerboost serve boosted/ --precision int8 --host 0.0.0.0 --api-key secret\n"
      "  curl http://127.0.0.1:8080/v1/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{\"prompt\": \"The capital of France is\", \"max_tokens\": 8, \"temperature\": 0}'");
  command->callback([options] { run_serve(*options); });
}

}  // namespace layerboost
