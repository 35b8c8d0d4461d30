// What healing reads: sequences of equal length, in an order that a seed gives, and a part that is held out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace layerboost {

/// Sequences of text by the model itself that are written together, when the first of them is asked for; fewer at the
/// end of what is wanted.
inline constexpr int self_text_part = 128;

/// What can be learnt from beside files: "self": text that the model writes; "chat": the same through its chat
/// template; "facts": facts in filler text and questions about them, in the wordings that choose
/// (eval/retrieval_wordings.h). The filler is the mixture's files, or else repeated sentences.
///
/// Each source may have a weight, "corpus.jsonl:0.6": its share of the sequences. Without weights files are one text,
/// and other sources stand alone.
struct HealTextOptions {
  std::vector<std::string> files;  // files and those words
  std::string valid;               // a file; empty: the last 1 % of the text, which is then not learnt from
  int length = 1024;               // tokens of a sequence
  int held_out = 16;               // sequences held out, at most
  std::int64_t wanted = 0;         // training asks for sequences below this one
  std::uint64_t seed = 0;
};

/// Immutable but for a cache of the order.
class HealText {
 public:
  virtual ~HealText() = default;

  /// Sequences in one pass over the text.
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// The tokens of the sequence that is read as number `i` = 0, 1, ..., [length]. After size() sequences the text
  /// begins again in another order. May write text first (`self`), and throw Interrupted.
  virtual std::vector<TokenId> sequence(std::int64_t i) = 0;

  [[nodiscard]] const std::vector<std::vector<TokenId>>& held_out() const { return held_out_; }
  /// For people: "train.jsonl", "self".
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& held_out_name() const { return held_out_name_; }
  /// "sha256:..." of all that is read.
  [[nodiscard]] const std::string& hash() const { return hash_; }

 protected:
  std::vector<std::vector<TokenId>> held_out_;
  std::string name_, held_out_name_, hash_;
};

/// The files among sources, without their weights. Throws Error for weights that make no sense.
std::vector<std::string> files_of(const std::vector<std::string>& sources);

/// Throws Error (one line) for files that can't be read, or have less than two sequences of text, and for weights that
/// make no sense.
std::unique_ptr<HealText> open_heal_text(const Model& model, const HealTextOptions& options);

}  // namespace layerboost
