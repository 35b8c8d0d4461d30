// A plan drawn in the terminal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mixer/spec.h"

namespace layerboost {

/// The letter of each mixer among those that are drawn together, by what its kind's descriptor says (TerminalLook).
class MixerLetters {
 public:
  explicit MixerLetters(const std::vector<MixerSpec>& drawn);

  /// Its letter; with `color`, ANSI colours by kind behind it. Requires: it is one of those drawn.
  [[nodiscard]] std::string cell(const MixerSpec& spec, bool color) const;

 private:
  std::map<MixerSpec, char> letters_;  // by mixer, without its whole heads: the same window has the same letter
};

/// One cell for each layer, 40 to a line with the first layer's number before, then a legend line for each mixer with
/// its letter and its layers. `color`: ANSI colours by kind behind the letters. Letters and colours: TerminalLook of
/// the kinds' descriptors. Ends with a newline.
std::string draw_plan(const std::vector<MixerSpec>& specs, bool color);

}  // namespace layerboost
