// JSON for people: one key a line, and lists of objects with one object a line.
#pragma once

#include <string>

#include "base/json.h"

namespace layerboost {

/// `object` as text that ends with a newline: each of its keys begins a line; a value that is a non-empty list of
/// objects has one line for each; every other value stands on its key's line.
std::string layout_lines(const Json& object);

/// `x` rounded to `digits` significant decimal digits, so that files hold no noise. `x` itself when it isn't finite.
double rounded(double x, int digits);

}  // namespace layerboost
