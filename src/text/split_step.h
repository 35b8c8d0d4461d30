// One step of cutting text into the pieces that BPE merges within, as tokenizer.json lists them under "pre_tokenizer".
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// What becomes of the matches of a step's expression: pieces of their own; nothing; part of the piece before or after
/// them; one piece with their neighbours of the same kind.
enum class SplitBehaviour { isolated, removed, merged_with_previous, merged_with_next, contiguous };

/// "Isolated", ..., as tokenizer.json has it.
std::string_view name_of(SplitBehaviour behaviour);

/// In a piece `space_mark` takes the place of each space (where there is one). The piece gets a space in front (where
/// `prefix_space`, unless it begins with one), is then cut by `pattern` (where there is one), and is at last spelled in
/// the byte-level alphabet, which the steps that follow see (`byte_level`).
struct SplitStep {
  std::string pattern;  // in Oniguruma's syntax; empty: doesn't cut
  SplitBehaviour behaviour = SplitBehaviour::isolated;
  bool invert = false;  // what lies between matches counts as a match, and the other way round
  bool prefix_space = false;
  bool first_only = false;      // only the piece that the whole text begins with gets a space in front
  std::string space_mark = {};  // "▁", and what is put in front then; empty: spaces stay
  bool byte_level = false;

  bool operator==(const SplitStep&) const = default;
};

}  // namespace layerboost
