// The library's silence.
#pragma once

namespace layerboost {

/// Called before anything that may have something to say: without a handler, that goes nowhere.
void print_nothing();

}  // namespace layerboost
