#include "grammar/vocabulary.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace layerboost {
namespace {

constexpr std::size_t longest_counted = 32;  // characters; of longer tokens there are few
constexpr std::size_t most_made_of = 16;     // kinds of characters whose tokens are kept
constexpr int fewest_characters = 20;        // whose tokens are worth finding
constexpr std::size_t longest_token = 255;   // bytes; longer ones (there are hardly any) are never allowed
constexpr std::uint32_t many_tokens = 16;    // that are worth finding out whether all of them are allowed
constexpr std::uint8_t no_character = 0xFF;

void add_to(TokenMask& mask, TokenId token) {
  const auto id = static_cast<std::size_t>(token);
  mask[id / 64] |= std::uint64_t{1} << id % 64;
}

void take_from(TokenMask& mask, TokenId token) {
  const auto id = static_cast<std::size_t>(token);
  mask[id / 64] &= ~(std::uint64_t{1} << id % 64);
}

/// The characters of some texts, and how many are in the longest.
struct TextContents {
  FirstBytes of;
  std::uint8_t most = 0;

  void add(const TextContents& other) {
    of |= other.of;
    most = std::max(most, other.most);
  }
};

/// What `bytes` are made of from each byte on. A character that is cut short at the end is one; what can't be part of
/// any is none of a run.
std::vector<TextContents> contents_of_ends(std::string_view bytes) {
  std::vector<TextContents> ends(bytes.size() + 1);
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const Utf8Char c = decode_utf8(bytes.substr(i));
    ends[i] = ends[i + c.length];
    ends[i].of.add(c.kind == Utf8Char::Kind::invalid ? no_character : static_cast<std::uint8_t>(bytes[i]));
    ++ends[i].most;
  }
  return ends;
}

/// `bytes` without as many of `spaces` as are in front, which are counted down.
std::string_view without_spaces(std::string_view bytes, int& spaces) {
  for (; spaces > 0 && bytes.starts_with(' '); --spaces) bytes.remove_prefix(1);
  return bytes;
}

}  // namespace

Vocabulary::Vocabulary(const Tokenizer& tokenizer, int embeddings, std::vector<TokenId> shown)
    : tokenizer_(tokenizer), size_(std::min(tokenizer.size(), embeddings)), shown_(std::move(shown)) {
  for (TokenId id = 0; id < size_; ++id)
    if (!spelt(id).empty()) ids_.push_back(id);
  std::ranges::sort(ids_, [&](TokenId a, TokenId b) {
    const std::string_view left = tokenizer.bytes(a), right = tokenizer.bytes(b);
    return left != right ? left < right : a < b;
  });
  add_steps();
}

/// What a token adds to the text; empty: it isn't in the vocabulary.
std::string_view Vocabulary::spelt(TokenId token) const {
  if (token < 0 || token >= size_) return {};
  if (tokenizer_.is_special(token) && std::ranges::find(shown_, token) == shown_.end()) return {};
  const std::string_view bytes = tokenizer_.bytes(token);
  return bytes.size() <= longest_token ? bytes : std::string_view();
}

void Vocabulary::add_steps() {
  std::map<FirstBytes, std::uint32_t> known;
  const auto kept = [&](const TextContents& contents) {
    const auto [found, is_new] = known.try_emplace(contents.of, static_cast<std::uint32_t>(contents_.size()));
    if (is_new) contents_.push_back(contents.of);
    return Characters{found->second, contents.most};
  };
  struct Open {
    std::size_t step = 0;
    TextContents whole = {}, rest = {};
  };
  std::array<Open, longest_token + 1> open;  // [depth] the step that is there now
  std::string_view before;
  std::size_t depth = 0;
  const auto close_to = [&](std::size_t shared) {
    for (; depth > shared; --depth) {
      Step& step = steps_[open[depth].step];
      step.after = static_cast<std::uint32_t>(steps_.size());
      step.whole = kept(open[depth].whole);
      step.rest = kept(open[depth].rest);
    }
  };
  for (std::uint32_t i = 0; i < ids_.size(); ++i) {
    const std::string_view bytes = tokenizer_.bytes(ids_[i]);
    const auto shared = static_cast<std::size_t>(std::ranges::mismatch(before, bytes).in1 - before.begin());
    close_to(shared);
    while (depth < bytes.size()) {
      ++depth;
      open[depth] = {.step = steps_.size()};
      steps_.push_back(
          {static_cast<std::uint8_t>(bytes[depth - 1]), static_cast<std::uint8_t>(depth), 0, i, i, {}, {}});
    }
    steps_[open[depth].step].end_id = i + 1;
    const std::vector<TextContents> ends = contents_of_ends(bytes);
    tokens_.push_back(kept(ends.front()));
    for (std::size_t at = 1; at <= depth; ++at) {
      open[at].whole.add(ends.front());
      open[at].rest.add(ends[at]);
    }
    before = bytes;
  }
  close_to(0);
}

Vocabulary::MadeOf Vocabulary::find_made_of(const FirstBytes& characters) const {
  MadeOf found{{}, std::vector<TokenMask>(longest_counted + 2, no_tokens())};
  for (const FirstBytes& contents : contents_) found.contents.push_back(contents.is_within(characters));
  for (std::size_t i = 0; i < ids_.size(); ++i)
    if (found.contents[tokens_[i].contents])
      add_to(found.masks[std::min<std::size_t>(tokens_[i].most, longest_counted + 1)], ids_[i]);
  for (std::size_t n = 1; n < found.masks.size(); ++n)
    for (std::size_t word = 0; word < found.masks[n].size(); ++word) found.masks[n][word] |= found.masks[n - 1][word];
  return found;
}

std::shared_ptr<const Vocabulary::MadeOf> Vocabulary::made_of(const FirstBytes& characters) const {
  const auto last_asked_for = [&]() -> std::shared_ptr<const MadeOf> {
    const auto known = std::ranges::find(found_, characters, [](const auto& each) { return each.first; });
    if (known == found_.end()) return nullptr;
    std::rotate(known, known + 1, found_.end());
    return found_.back().second;
  };
  {
    const std::lock_guard lock(mutex_);
    if (auto known = last_asked_for()) return known;
  }
  auto made = std::make_shared<const MadeOf>(find_made_of(characters));  // takes a while, for which nobody need wait
  const std::lock_guard lock(mutex_);
  if (auto known = last_asked_for()) return known;
  if (found_.size() == most_made_of) found_.erase(found_.begin());
  found_.emplace_back(characters, made);
  return made;
}

/// Whether it is known of all tokens that go through `step` whether they are allowed.
bool Vocabulary::is_known(const Step& step, const Known& known) const {
  if (known.made_of == nullptr || !known.made_of->contents[step.whole.contents]) return false;
  return step.whole.most <= known.counted || (known.ends && contents_[step.whole.contents].is_ascii());
}

/// Whether all texts of such characters may follow where `run` does.
bool Vocabulary::goes_on_with(const Characters& characters, const CharacterRun& run) const {
  return characters.most <= run.length && contents_[characters.contents].is_within(run.of);
}

/// How many tokens come before those that go through `step` and later ones.
std::uint32_t Vocabulary::ids_before(std::uint32_t step) const {
  return step < steps_.size() ? steps_[step].first_id : static_cast<std::uint32_t>(ids_.size());
}

/// Of the steps that go on from one, which are among first .. end - 1, the one by a space; `end`: there is none.
std::uint32_t Vocabulary::space_among(std::uint32_t first, std::uint32_t end) const {
  while (first < end && steps_[first].byte != ' ') first = steps_[first].after;
  return first;
}

/// Walks through the steps first .. end - 1, which go on from where a text is in `state`, and adds the tokens that are
/// allowed, but for `known` ones. False: the automaton is spent, or the walk costs too much.
bool Vocabulary::look(Walk& walk, int state, std::uint32_t first, std::uint32_t end, const Known& known) const {
  if (first == end) return true;
  Automaton& automaton = walk.automaton;
  std::array<int, longest_token + 1> states;  // [depth]
  states.fill(Automaton::dead);
  states[steps_[first].depth - std::size_t{1}] = state;
  const Automaton::Held held(automaton, states);
  for (std::uint32_t i = first; i < end;) {
    const Step& step = steps_[i];
    automaton.make_room();
    const int to =
        is_known(step, known) ? Automaton::dead : automaton.next(states[step.depth - std::size_t{1}], step.byte);
    if (to == Automaton::spent) return false;
    if (to < 0) {
      if (to == Automaton::too_much) walk.too_open = true;
      i = step.after;
      continue;
    }
    walk.found.cost += automaton.cost(to, walk.number);
    if (walk.found.cost > walk.most) return false;
    states[step.depth] = to;
    const std::uint32_t last = ids_before(step.after);
    const bool all =
        !walk.one_by_one && last - step.end_id >= many_tokens && goes_on_with(step.rest, automaton.run(to));
    for (std::uint32_t at = step.first_id; at < (all ? last : step.end_id); ++at) add_to(walk.found.mask, ids_[at]);
    i = all ? step.after : i + 1;
  }
  return true;
}

/// Puts right what `walk` has found of tokens that begin with spaces, of which each loses up to `spaces`. Those that
/// are nothing else may come: nothing is said by them.
bool Vocabulary::look_behind_spaces(Walk& walk, int state, int spaces) const {
  const Automaton::Held held(walk.automaton, {&state, 1});
  TokenMask& mask = walk.found.mask;
  std::uint32_t first = 0, end = static_cast<std::uint32_t>(steps_.size());
  for (; spaces > 0; --spaces) {
    const std::uint32_t space = space_among(first, end);
    if (space == end) break;
    first = space + 1;
    end = steps_[space].after;
    for (std::uint32_t at = steps_[space].first_id; at < ids_before(end); ++at) take_from(mask, ids_[at]);
    for (std::uint32_t at = steps_[space].first_id; at < steps_[space].end_id; ++at) add_to(mask, ids_[at]);
    if (!look(walk, state, first, end, {})) return false;
  }
  return true;
}

/// All that `walk` finds behind what is `known` already, which is in its mask.
Vocabulary::Allowed Vocabulary::look_from(Walk walk, int state, int spaces, const Known& known) const {
  const Automaton::Held held(walk.automaton, {&state, 1});
  if (!look(walk, state, 0, static_cast<std::uint32_t>(steps_.size()), known)) return {};
  if (!look_behind_spaces(walk, state, spaces)) return {};
  const bool is_none = std::ranges::all_of(walk.found.mask, [](std::uint64_t word) { return word == 0; });
  if (walk.too_open && is_none) return {};
  return std::move(walk.found);
}

Vocabulary::Allowed Vocabulary::allowed_one_by_one(Automaton& automaton, int state, int spaces) const {
  Walk walk{automaton, static_cast<std::size_t>(-1), true, automaton.new_walk(), {no_tokens()}};
  return look_from(std::move(walk), state, spaces, {});
}

Vocabulary::Allowed Vocabulary::allowed(Automaton& automaton, int state, int spaces, std::size_t most) const {
  Walk walk{automaton, most, false, automaton.new_walk(), {no_tokens()}};
  Known known;
  const CharacterRun run = automaton.run(state);
  if (run.of.count() >= fewest_characters) {
    known.made_of = made_of(run.of);
    if (run.length >= static_cast<int>(longest_token)) {
      known.counted = run.length;
      walk.found.mask = known.made_of->masks.back();
    } else {
      known.counted = std::min(run.length, static_cast<int>(longest_counted));
      known.ends = known.counted == run.length && automaton.ends_with(run, state);
      walk.found.mask = known.made_of->masks[static_cast<std::size_t>(known.counted)];
    }
  }
  return look_from(std::move(walk), state, spaces, known);
}

int Vocabulary::next(Automaton& automaton, int state, TokenId token, int spaces) const {
  const std::string_view bytes = spelt(token);
  if (bytes.empty()) return Automaton::dead;
  for (const char c : without_spaces(bytes, spaces)) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return state;
}

int Vocabulary::spaces_after(TokenId token, int spaces) const {
  return without_spaces(spelt(token), spaces).empty() ? spaces : 0;
}

}  // namespace layerboost
