// The wordings in which facts are stated far back in a text and asked for at its end. What a model finds depends much
// on the wording: a plan chosen by one loses others. So they are split, by a seed, into those that choose layers,
// weights and steps and those that report what came of it; no wording does both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// What is hidden: a number, a word, a name with a place, one row of a table, one of several facts of one form that
/// stand apart, a sentence that is to be repeated.
enum class NeedleKind { number, word, place, row, several, passage };

std::string_view name_of(NeedleKind kind);

/// What stands for {v}, the answer. A passage's is the second half of a sentence whose first half is {k}.
enum class NeedleValue { digits4, digits5, word, town, second_half };
/// What stands for {k}, by which the fact is asked for: nothing, somebody's name, a thing, a colour.
enum class NeedleKey { none, person, thing, colour, first_half };

/// A text reads: header, filler, fact, filler, question, lead; or as a chat: the user's message up to the question, the
/// assistant's beginning with the lead. The answer follows the lead after `gap`.
struct RetrievalWording {
  NeedleKind kind;
  NeedleKey key;
  NeedleValue value;
  const char* header;    // the text's beginning; may be empty
  const char* fact;      // with {k} and {v}; of a row: of the whole table, whose rows are at {rows}
  const char* row;       // of a row: one row, with {k} and {v}; else nullptr
  const char* question;  // with {k}
  const char* lead;      // with {k}; empty: the answer comes without one
  const char* gap;       // what the answer begins with: a space, or nothing
};

/// Names a wording for people by its question: "What is the ticket number of ...?"
std::string label_of(const RetrievalWording& wording);

/// All of them; kinds lie together.
std::span<const RetrievalWording> all_wordings();

/// Who uses a wording.
enum class WordingUse { choose, report };

/// Half of each kind's wordings, as numbers in all_wordings(), rising; the other use gets the other half. The first
/// wording, llama.cpp's `passkey` prompt, always chooses: too much has been chosen by it already.
std::vector<int> wordings_for(WordingUse use, std::uint64_t split = 0);

}  // namespace layerboost
