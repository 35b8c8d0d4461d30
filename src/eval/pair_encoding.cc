#include "eval/pair_encoding.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "generate/bos.h"

namespace layerboost {
namespace {

/// The first `count` of `tokens` are the context.
Request split(const std::vector<TokenId>& tokens, std::size_t count) {
  const auto border = tokens.begin() + static_cast<std::ptrdiff_t>(std::min(count, tokens.size()));
  return {{tokens.begin(), border}, {border, tokens.end()}};
}

Request without_context(const Tokenizer& tokenizer, std::string_view continuation) {
  const TokenId prefix = prefix_token(tokenizer);
  if (prefix < 0) fail("an empty context needs a BOS or EOS token, and the model has neither");
  return split(encode_with_one_bos(tokenizer, continuation, prefix), 1);
}

/// Keeps the last max_positions + 1 tokens; at least one of them is context.
void truncate(Request& request, int max_positions) {
  const std::size_t most = static_cast<std::size_t>(max_positions > 0 ? max_positions : 2048) + 1;
  const std::size_t size = request.context.size() + request.continuation.size();
  if (size <= most) return;
  std::vector<TokenId> tokens = std::move(request.context);
  tokens.insert(tokens.end(), request.continuation.begin(), request.continuation.end());
  tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(most));
  request = split(tokens, std::max<std::size_t>(1, most - std::min(most, request.continuation.size())));
}

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// The spaces of one, two and three bytes in UTF-8.
bool is_white_space(std::string_view character) {
  if (character.size() == 1)
    return (character[0] >= '\t' && character[0] <= '\r') || (character[0] >= 0x1C && character[0] <= ' ');
  if (character.size() == 2) return character == "\u0085" || character == "\u00A0";
  constexpr std::array<std::string_view, 6> others = {"\u1680", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
  return (character >= "\u2000" && character <= "\u200A") ||
         std::find(others.begin(), others.end(), character) != others.end();
}

}  // namespace

Request encode_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation, TokenId bos,
                    int max_positions) {
  std::string whole(context);
  whole += continuation;
  context = rstrip(context);
  Request request = context.empty() ? without_context(tokenizer, whole)
                                    : split(encode_with_one_bos(tokenizer, whole, bos),
                                            encode_with_one_bos(tokenizer, context, bos).size());
  truncate(request, max_positions);
  return request;
}

std::string_view rstrip(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t start = end - 1;
    while (start > 0 && continues_character(text[start])) --start;
    if (!is_white_space(text.substr(start, end - start))) break;
    end = start;
  }
  return text.substr(0, end);
}

std::size_t code_points(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

}  // namespace layerboost
