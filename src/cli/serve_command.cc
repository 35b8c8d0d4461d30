#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/serving.h"
#include "app/serving_levels.h"
#include "base/error.h"
#include "base/file.h"
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

/// Empty ones are those of a script's variable that isn't set.
void check_names(std::vector<std::string> names) {
  std::ranges::sort(names);
  if (!names.empty() && names.front().empty()) fail("--name is empty: give a name, or leave it out");
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) fail("--name {} is given twice", in_quotes(*twice));
}

void complete(ServeFlags& options) {
  options.common.threads = serving_threads(options.common.threads);
  if (!options.memory.empty()) options.engine.memory = parse_bytes(options.memory, "--memory");
  if (!options.max_body.empty()) options.server.limits.body = parse_bytes(options.max_body, "--max-body");
  if (!options.chat_template.empty()) options.server.chat_template = read_file_or_pipe(options.chat_template);
  check_names(options.server.names);
  if (options.server.names.empty()) options.server.names = {served_name(options.model)};
  options.server.api_key = api_key(options.api_key);
  for (const std::string& site : options.server.allow_origins) check_origin(site);
  AllowedHosts(options.server.allow_hosts);  // what isn't a name is told before the model is opened
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

/// Says in a line how the ladder is going to be used. `highest`: the highest level that requests can ask for.
void say_levels(const Ladder& ladder, const ServedLevels& levels, int highest) {
  const LevelOptions& options = levels.options;
  const std::string limits = to_string(levels.limits);
  if (levels.limited && highest_level(ladder, levels.limits) < 0) {
    note("warning: level 0 itself doesn't keep the limit of quality ({}), or wasn't measured: there is only level 0",
         limits);
  } else if (options.mode == LevelMode::off) {
    note("level 0 of 0 to {}, unless a request asks for another; --levels auto follows the load", highest);
  } else if (options.mode == LevelMode::fixed) {
    note("level {} of 0 to {}, unless a request asks for another", options.level, highest);
  } else if (options.cap == 0) {
    note("warning: no level but 0 keeps the limit of quality ({}): there is only level 0", limits);
  } else {
    const std::string others = options.cap == ladder.top() ? "" : fmt::format("; those up to {} don't", ladder.top());
    note("levels 0 to {}, given by load, keep the limit of quality ({}){}", options.cap, limits, others);
  }
}

/// "a (also b, c)".
std::string in_words(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  return fmt::format("{} (also {})", names.front(), fmt::join(names.begin() + 1, names.end(), ", "));
}

void run_serve(ServeFlags options) {
  complete(options);
  start_run(options.common);
  options.engine.levels = level_options(options);
  std::optional<QualityLimits> limits;
  if (options.quality) limits = parse_quality_limits(*options.quality);
  Served served = open_served(options.model, options.plan, options.engine.levels.mode, options.common);
  const OpenedModel& opened = served.opened;
  if (limits && !served.ladder) fail("--quality says which levels may be served, and {} has no ladder", options.model);
  if (served.ladder) {
    const ServedLevels levels = limit_levels(served, options.engine.levels, limits);
    options.engine.levels = levels.options;
    options.server.levels = level_table(served, levels.options);
    say_levels(*served.ladder, levels, static_cast<int>(std::ssize(served.plans)) - 1);
    const std::string otherwise = measured_otherwise(served, options.common);
    if (!otherwise.empty() && (levels.limited || levels.options.level > 0)) note("warning: {}", otherwise);
  }
  options.server.plan = opened.plan_hash;
  options.server.kv = options.common.kv;
  note_context(opened.model->config, options.server.limits.positions);
  allow_many_files();
  Engine engine(*opened.model, served.plans, options.engine);
  const Server server(engine, *opened.model, opened.list(), options.server);
  if (!server.on_loopback() && options.server.api_key.empty())
    note("whoever reaches this machine's port {} may ask: there is no --api-key", server.port());
  const std::string& host = options.server.host;
  const std::string address = host.find(':') == std::string::npos ? host : "[" + host + "]";
  note("{} is served at http://{}:{}/ (the API below /v1); Ctrl-C finishes what was begun and ends",
       in_words(options.server.names), address, server.port());
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
  command
      ->add_option("--name", options->server.names,
                   "Name of the model in the API (again for others; answers have the first where a request has none); "
                   "default: MODEL's last part")
      ->type_name("NAME")
      ->allow_extra_args(false);
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
  command->add_flag("--plain-messages", options->server.plain_messages,
                    "Special tokens that users write in messages, such as <|im_end|>, are plain text; the template's "
                    "own stay special");
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
