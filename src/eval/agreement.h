// Whether a changed model writes what the unchanged one writes. Likelihoods of given text hide what generation loses:
// after the first token that differs, both go their own ways.
#pragma once

#include <string_view>
#include <vector>

#include "eval/statistics.h"
#include "model/subject.h"

namespace layerboost {

struct AgreementOptions {
  int prompts = 16;  // of each form
  int tokens = 64;   // that each is continued by
  int length = 256;  // tokens of text in each prompt
};

/// Over prompts of one form.
struct Agreement {
  Estimate equal;  // share of prompts whose texts are equal to their end
  Estimate until;  // tokens until the first difference, `tokens` where there is none
};

struct AgreementResult {
  AgreementOptions options;
  Agreement plain, chat;  // chat.equal.n is 0 where the model has no chat template
};

/// Both subjects continue pieces of `text` greedily: as they are, and asked about in a chat. A text ends where the
/// unchanged model ends it. `bos`: what plain prompts begin with; -1: nothing. Throws Error when the text has less than
/// `prompts` pieces of that length or the model too few positions, Interrupted.
AgreementResult measure_agreement(Subject& unchanged, Subject& changed, std::string_view text,
                                  const AgreementOptions& options, TokenId bos);

}  // namespace layerboost
