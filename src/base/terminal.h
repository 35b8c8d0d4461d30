// What may be written to stdout, a terminal or not.
#pragma once

namespace layerboost {

/// Whether to write colours to stdout: it is a terminal, and NO_COLOR isn't set (no-color.org).
bool color_wanted();

}  // namespace layerboost
