#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/file.h"
#include "cli/commands.h"
#include "report/report.h"

namespace layerboost {

void add_report_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "Write the page that shows what a boost changed, lost and won");
  const auto dir = std::make_shared<std::string>();
  command->add_option("DIR", *dir, "A directory that layerboost boost wrote")->required()->type_name("");
  command->footer(
      "DIR/report.html is one file without links to others: open it in a browser, send it, print it.\n\n"
      "Examples:\n"
      "  layerboost report out/smollm2            writes out/smollm2/report.html\n"
      "  layerboost report .                      the same, from inside the directory");
  command->callback([dir] {
    write_report(*dir);
    fmt::print("{}\n", (fs::path(*dir) / "report.html").string());
  });
}

}  // namespace layerboost
