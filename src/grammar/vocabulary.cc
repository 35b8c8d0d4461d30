#include "grammar/vocabulary.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace layerboost {
namespace {

constexpr std::size_t longest_plain = 32;                         // characters; of longer tokens there are few
constexpr std::size_t most_looked_at = std::size_t{1} << 20;      // for a mask: some 0.2 s
constexpr std::size_t most_room_for_mask = std::size_t{1} << 21;  // in the automaton: 8 MiB
constexpr std::size_t longest_token = 255;  // bytes; longer ones (there are hardly any) are never allowed

/// The characters of a token that a JSON string may have as it is; -1: of another one.
int plain_characters(std::string_view bytes) {
  if (valid_utf8_prefix(bytes) != bytes.size()) return -1;
  int characters = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '"' || c == '\\') return -1;
    if ((byte & 0xC0U) != 0x80U) ++characters;
  }
  return characters;
}

}  // namespace

Vocabulary::Vocabulary(const Tokenizer& tokenizer, int embeddings, std::vector<TokenId> shown)
    : tokenizer_(tokenizer), size_(std::min(tokenizer.size(), embeddings)), shown_(std::move(shown)) {
  const std::size_t words = (static_cast<std::size_t>(size_) + 63) / 64;
  plain_.assign(longest_plain + 1, TokenMask(words));
  std::vector<TokenId> all, not_plain;
  for (TokenId id = 0; id < size_; ++id) {
    const std::string_view bytes = spelt(id);
    if (bytes.empty()) continue;
    all.push_back(id);
    const int characters = plain_characters(bytes);
    if (characters < 0 || characters > static_cast<int>(longest_plain)) {
      not_plain.push_back(id);
      continue;
    }
    for (auto n = static_cast<std::size_t>(characters); n <= longest_plain; ++n)
      plain_[n][static_cast<std::size_t>(id) / 64] |= std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
  }
  all_ = walk_of(std::move(all));
  not_plain_ = walk_of(std::move(not_plain));
}

/// What a token adds to the text; empty: it isn't in the vocabulary.
std::string_view Vocabulary::spelt(TokenId token) const {
  if (token < 0 || token >= size_) return {};
  if (tokenizer_.is_special(token) && std::ranges::find(shown_, token) == shown_.end()) return {};
  const std::string_view bytes = tokenizer_.bytes(token);
  return bytes.size() <= longest_token ? bytes : std::string_view();
}

Vocabulary::Walk Vocabulary::walk_of(std::vector<TokenId> ids) const {
  std::ranges::sort(ids, [this](TokenId a, TokenId b) {
    const std::string_view left = tokenizer_.bytes(a), right = tokenizer_.bytes(b);
    return left != right ? left < right : a < b;
  });
  Walk walk{{}, std::move(ids)};
  std::array<std::size_t, longest_token + 1> open{};  // [depth] the step that is there now
  std::string_view before;
  std::size_t depth = 0;
  const auto close_to = [&](std::size_t shared) {
    for (; depth > shared; --depth) walk.steps[open[depth]].after = static_cast<std::uint32_t>(walk.steps.size());
  };
  for (std::uint32_t i = 0; i < walk.ids.size(); ++i) {
    const std::string_view bytes = tokenizer_.bytes(walk.ids[i]);
    const auto shared = static_cast<std::size_t>(std::ranges::mismatch(before, bytes).in1 - before.begin());
    close_to(shared);
    while (depth < bytes.size()) {
      ++depth;
      open[depth] = walk.steps.size();
      walk.steps.push_back({static_cast<std::uint8_t>(bytes[depth - 1]), static_cast<std::uint8_t>(depth), 0, i, i});
    }
    walk.steps[open[depth]].end_id = i + 1;
    before = bytes;
  }
  close_to(0);
  return walk;
}

/// Adds the tokens of `walk` to `mask`. False: there is too much to look at.
bool Vocabulary::look(const Walk& walk, Automaton& automaton, int state, TokenMask& mask) const {
  const std::size_t enough = automaton.looked_at() + most_looked_at, room = automaton.room() + most_room_for_mask;
  std::array<int, longest_token + 1> states{state};  // [depth]
  for (std::size_t i = 0; i < walk.steps.size();) {
    const Step& step = walk.steps[i];
    const int to = automaton.next(states[step.depth - std::size_t{1}], step.byte);
    if (to == Automaton::too_much || automaton.looked_at() > enough || automaton.room() > room) return false;
    if (to < 0) {
      i = step.after;
      continue;
    }
    states[step.depth] = to;
    for (std::uint32_t at = step.first_id; at < step.end_id; ++at) {
      const auto id = static_cast<std::size_t>(walk.ids[at]);
      mask[id / 64] |= std::uint64_t{1} << (id % 64);
    }
    ++i;
  }
  return true;
}

TokenMask Vocabulary::allowed(Automaton& automaton, int state) const {
  const int plain = automaton.plain_left(state);
  TokenMask mask = plain_[static_cast<std::size_t>(std::clamp(plain, 0, static_cast<int>(longest_plain)))];
  return look(plain >= 0 ? not_plain_ : all_, automaton, state, mask) ? mask : TokenMask();
}

int Vocabulary::next(Automaton& automaton, int state, TokenId token) const {
  const std::string_view bytes = spelt(token);
  if (bytes.empty()) return Automaton::dead;
  for (const char c : bytes) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return state;
}

}  // namespace layerboost
