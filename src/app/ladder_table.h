// A ladder drawn in the terminal.
#pragma once

#include <string>

#include "artifact/ladder.h"

namespace layerboost {

/// A line for each level: what changes there, the layers' mixers as cells (a letter each; of at most 64 layers), and
/// what was measured. Then a legend line for each mixer. `color`: ANSI colours by kind behind the letters. Ends with a
/// newline.
std::string draw_ladder(const Ladder& ladder, bool color);

/// What the columns are of: text, questions, machine; from Ladder::measured_on. Empty where nothing was measured. Lines
/// that end with a newline.
std::string describe_measured(const Ladder& ladder);

/// "1 rung", "22 rungs"
std::string rungs_text(int rungs);

}  // namespace layerboost
