// What the commands say of themselves, for man and for bash.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace layerboost {

/// The manual page of the program, in the language of man(7): each command with its description, arguments, flags and
/// examples, as --help has them.
std::string manual_page(const CLI::App& app);

/// A script that makes bash complete commands and their flags, and the names of files.
std::string bash_completion(const CLI::App& app);

}  // namespace layerboost
