// How messages from below, which know options by their names alone, speak of this command line's flags.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace layerboost {

/// `message` with "`kv`" as "--kv" and "`output`" as "-o", wherever that is a flag of one of the commands.
std::string with_flags(const std::string& message, const CLI::App& app);

}  // namespace layerboost
