#include "cli/plan_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "cli/flag_checks.h"

namespace layerboost {

void add_plan_options(CLI::App& command, PlanOptions& options) {
  command.add_option("--softmax", options.softmax, "So many layers keep softmax")
      ->check(whole_number(0))
      ->type_name("N");
  command.add_option("--none", options.none, "So many layers lose attention")->check(whole_number(0))->type_name("N");
  command.add_option("--kv", options.kv, "Share of the KV memory to use, 0 to 1")
      ->check(number())
      ->type_name("FRACTION");
  command.add_option("--speedup", options.speedup, "Decode so many times faster: X@BATCHxCONTEXT")->type_name("X@BxC");
  command.add_option("--keep", options.keep, "Layers that keep softmax")
      ->delimiter(',')
      ->check(whole_number(0))
      ->type_name("I,..");
  command
      .add_option("--thresholds", options.thresholds, "Removal scores: above HI softmax, up to LO none, else --middle")
      ->delimiter(',')
      ->expected(2)
      ->check(number())
      ->type_name("HI,LO");
  command.add_flag("--by-removal", options.by_removal,
                   "Decide --softmax and --none by the removal score alone; others get --middle");
  command.add_option("--middle", options.middle, "Mixer between the two; default: the first with a window analysed")
      ->type_name("MIXER");
  command
      .add_option("--retrieval-weight", options.retrieval_weight,
                  fmt::format("Weight of lost answers (retrieval) beside the loss on text; default {:g} where measured",
                              LossRule().retrieval_weight))
      ->check(number())
      ->type_name("X");
  command.add_option("--search", options.search, "additive: sums of single losses; joint: measures whole plans")
      ->check(CLI::IsMember({"additive", "joint"}).description(""))
      ->type_name("WAY")
      ->capture_default_str();
  command.add_option("--measurements", options.measurements, "Plans that --search joint measures at most")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  options.command = plan_command_line;
}

std::string plan_command_line(const std::string& analysis, const PlanOptions& options) {
  const PlanOptions usual;
  std::string line = fmt::format("layerboost plan {} -o plan.json", analysis);
  if (options.by != usual.by) line += " --by " + options.by;
  if (options.retrieval_weight) line += fmt::format(" --retrieval-weight {:g}", *options.retrieval_weight);
  if (options.context != usual.context) line += fmt::format(" --context {}", options.context);
  if (options.softmax) line += fmt::format(" --softmax {}", *options.softmax);
  if (options.none) line += fmt::format(" --none {}", *options.none);
  if (!options.keep.empty()) line += fmt::format(" --keep {}", fmt::join(options.keep, ","));
  if (options.kv) line += fmt::format(" --kv {:.4f}", *options.kv);
  return line;
}

}  // namespace layerboost
