// The tables of GGUF's IQ types: a code stands for several neighbouring weights, whose values are few.
#pragma once

#include <cstdint>

namespace layerboost {

// Entry by code. Eight weights of 2 bits each, from the lowest: which of three values.
extern const std::uint16_t iq2_xxs_grid[256], iq2_xs_grid[512], iq2_s_grid[1024], iq1_s_grid[2048];
// Four weights of 3 bits each, from the lowest: which of eight values.
extern const std::uint16_t iq3_xxs_grid[256], iq3_s_grid[512];

}  // namespace layerboost
