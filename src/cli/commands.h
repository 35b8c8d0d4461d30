// The subcommands, one file each: NAME_command.cc. Each function adds its subcommand to `app`, with its flags, a footer
// of examples and a callback that does the work and throws Error or Interrupted.
#pragma once

namespace CLI {
class App;
}

namespace layerboost {

void add_boost_command(CLI::App& app);
void add_analyze_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_chat_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_heal_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_ladder_command(CLI::App& app);
void add_manual_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_pull_command(CLI::App& app);
void add_serve_command(CLI::App& app);

}  // namespace layerboost
