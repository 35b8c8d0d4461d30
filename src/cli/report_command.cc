#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "artifact/boosted_directory.h"
#include "base/file.h"
#include "cli/commands.h"
#include "report/report.h"

namespace layerboost {

void add_report_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("report", "Write the page that shows what a boost, or a ladder, changed, lost and won");
  const auto dir = std::make_shared<std::string>();
  const auto ladder = std::make_shared<std::string>();
  command->add_option("DIR", *dir, "A directory that layerboost boost or layerboost ladder wrote")
      ->required()
      ->type_name("");
  command->add_option("--ladder", *ladder, "Shows this ladder, too; default: DIR's own, where it has one")
      ->type_name("DIR");
  command->footer(
      "DIR/report.html is one file without links to others: open it in a browser, send it, print it.\n\n"
      "Examples:\n"
      "  layerboost report out/smollm2            writes out/smollm2/report.html\n"
      "  layerboost report .                      the same, from inside the directory\n"
      "  layerboost report ladder                 a ladder, with a slider over its levels\n"
      "  layerboost report out/smollm2 --ladder ladder");
  command->callback([dir, ladder] {
    write_report(*dir, *ladder);
    fmt::print("{}\n", (fs::path(*dir) / boost_name::page).string());
  });
}

}  // namespace layerboost
