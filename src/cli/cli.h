// The command line: `layerboost SUBCOMMAND ...`.
#pragma once

namespace layerboost {

/// Runs the subcommand that argv names and returns the exit code: 0 done; 1 an unexpected failure; 2 something the user
/// gave is wrong (one line on stderr says what); 130 stopped by SIGINT or SIGTERM; 141 nobody reads standard output.
int run_command_line(int argc, const char* const* argv);

}  // namespace layerboost
