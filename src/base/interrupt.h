// Stopping on request (SIGINT, SIGTERM) at a point where nothing is lost.
#pragma once

#include <string>

namespace layerboost {

/// From now on the first SIGINT or SIGTERM only sets a flag (and says so on stderr); the second ends the process at
/// once, exit code 130.
void install_interrupt_handler();

/// The first signal says nothing from now on: another process does.
void interrupt_quietly();

/// Whether the user asked to stop.
bool interrupted();

/// Throws Interrupted with `message`, which says how to go on, when the user asked to stop.
void check_interrupt(const std::string& message);

}  // namespace layerboost
