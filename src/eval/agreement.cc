#include "eval/agreement.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "eval/text_data.h"
#include "generate/generate.h"
#include "text/chat_template.h"

namespace layerboost {
namespace {

constexpr std::array instructions = {"Summarize the following text in three sentences.",
                                     "What are the main points of the following text?",
                                     "Explain the following text to a child.", "Continue the following text."};

/// Pieces of `size` tokens, evenly spread over the text.
std::vector<std::vector<TokenId>> pieces_of(const Tokenizer& tokenizer, std::string_view text, int count, int size) {
  constexpr std::size_t most = std::size_t{4} << 20;  // bytes: beyond, pieces only come from further apart
  const std::vector<TokenId> tokens = tokenizer.encode(text.substr(0, most));
  const auto all = std::ssize(tokens) / size;
  if (all < count) fail("`agreement` {}: the text has only {} pieces of {} tokens", count, all, size);
  std::vector<std::vector<TokenId>> pieces;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto begin = tokens.begin() + i * all / count * size;
    pieces.emplace_back(begin, begin + size);
  }
  return pieces;
}

using Prompts = std::vector<std::vector<TokenId>>;

Prompts chats_about(const Tokenizer& tokenizer, const ChatTemplate& chat, const Prompts& pieces) {
  Prompts prompts;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    ChatInput input;
    const std::string content =
        std::string(instructions[i % instructions.size()]) + "\n\n" + tokenizer.decode(pieces[i]);
    input.messages.push_back({{"role", "user"}, {"content", content}});
    prompts.push_back(tokenizer.encode(chat.render(input), true));
  }
  return prompts;
}

Agreement compare(Subject& unchanged, Subject& changed, const Prompts& prompts, int tokens) {
  GenerateOptions options;
  options.tokens = tokens;
  options.sampling.temperature = 0;
  options.stop = end_tokens(unchanged.model);
  const std::vector<Generation> before = generate(unchanged, prompts, options),
                                after = generate(changed, prompts, options);
  std::vector<double> equal, until;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto [first, second] =
        std::mismatch(before[i].tokens.begin(), before[i].tokens.end(), after[i].tokens.begin(), after[i].tokens.end());
    const bool same = first == before[i].tokens.end() && second == after[i].tokens.end();
    equal.push_back(same ? 1 : 0);
    until.push_back(same ? tokens : static_cast<double>(first - before[i].tokens.begin()));
  }
  return {estimate(equal), estimate(until)};
}

}  // namespace

AgreementResult measure_agreement(Subject& unchanged, Subject& changed, std::string_view text,
                                  const AgreementOptions& options, TokenId bos) {
  const Tokenizer& tokenizer = unchanged.model.text();
  const Prompts pieces = pieces_of(tokenizer, text, options.prompts, options.length);
  AgreementResult result;
  result.options = options;
  Prompts plain = pieces;
  for (auto& prompt : plain)
    if (bos >= 0) prompt.insert(prompt.begin(), bos);
  result.plain = compare(unchanged, changed, plain, options.tokens);
  if (tokenizer.chat_template().empty()) return result;
  result.chat = compare(unchanged, changed, chats_about(tokenizer, ChatTemplate(tokenizer), pieces), options.tokens);
  return result;
}

}  // namespace layerboost
