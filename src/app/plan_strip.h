// A plan drawn in the terminal.
#pragma once

#include <string>
#include <vector>

#include "mixer/spec.h"

namespace layerboost {

/// One cell for each layer, 40 to a line with the first layer's number before, then a legend line for each mixer with
/// its letter and its layers. `color`: ANSI colours by kind behind the letters. Letters and colours: TerminalLook of
/// the kinds' descriptors. Ends with a newline.
std::string draw_plan(const std::vector<MixerSpec>& specs, bool color);

}  // namespace layerboost
