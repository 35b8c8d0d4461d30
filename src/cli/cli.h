// The command line: `layerboost SUBCOMMAND ...`. run_command_line() is the whole program: it prepares the process,
// parses the arguments with CLI11, runs one subcommand, and turns whatever it throws into one line on stderr and an
// exit code. Each subcommand is a file of its own, NAME_command.cc (cli/commands.h lists them): it declares its flags,
// checks them, calls what app/ or a folder below it offers, and prints the result. Results go to stdout, everything
// else to stderr. Messages from other folders call options by their names alone; here they become flags
// (cli/option_names.h). No other folder uses this one.
#pragma once

namespace layerboost {

/// Runs the subcommand that argv names and returns the exit code: 0 done; 1 an unexpected failure; 2 something the user
/// gave is wrong (one line on stderr says what); 130 stopped by SIGINT or SIGTERM; 141 nobody reads standard output.
int run_command_line(int argc, const char* const* argv);

}  // namespace layerboost
