// Expressions over characters, as regular expressions and grammars write them: their parts, and the nodes made of them.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/grammar.h"

namespace layerboost {

inline constexpr int deepest_group = 100;  // groups in groups

/// How often something is to be there.
struct Repeats {
  static constexpr int no_end = 1 << 30;
  int least = 0, most = no_end;
  /// Whether numbers are in order and not too large.
  [[nodiscard]] bool make_sense() const;
};

/// A part of an expression.
struct Part {
  enum class Kind { characters, sequence, choice, repeat, rule, text_begin, text_end };
  Kind kind = Kind::sequence;
  CodePoints characters = {};    // one of them
  std::vector<Part> parts = {};  // a repeat has one
  int least = 0, most = 0;       // of a repeat
  int rule = -1;                 // of the grammar: a text of it

  /// One character of `set`.
  static Part of(CodePoints set);
  /// One of `alternatives`, of which there is at least one.
  static Part one_of(std::vector<Part> alternatives);
  static Part repeated(Part part, const Repeats& repeats);
  /// Appends to a sequence. What matches nothing makes no nodes, whose number is limited, and isn't to be gone through
  /// in each repeat: it is left out.
  void append(Part part);
};

/// Takes *, +, ?, {m}, {m,} or {m,n} from the front of `rest`. nullopt: something else is there.
std::optional<Repeats> take_repeats(std::string_view& rest);

/// The character that `digits` hexadecimal digits at the front of `rest`, which are taken, are the code of; nullopt:
/// there aren't so many, or no character has that code.
std::optional<char32_t> take_code(std::string_view& rest, int digits);

/// Makes nodes of parts.
class ExpressionWriter {
 public:
  /// `in_json`: the text stands within the quotes of a JSON string.
  explicit ExpressionWriter(Grammar& grammar, bool in_json = false) : grammar_(grammar), in_json_(in_json) {}

  /// Adds ways from `from` that spell what `part` matches; returns where they end. Requires: `part` stays where it is
  /// as long as the writer. Throws Error for the beginning or end of the text.
  int write(const Part& part, int from);
  /// The rule of one character of `set`, written once. Requires: `set` stays where it is as long as the writer.
  int rule_of(const CodePoints& set);

 private:
  int write_characters(const CodePoints& set, int from);
  int write_repeat(const Part& part, int from);

  Grammar& grammar_;
  const bool in_json_;
  std::map<const CodePoints*, int> rules_of_parts_;
  std::map<CodePoints, int> rules_of_sets_;
};

}  // namespace layerboost
