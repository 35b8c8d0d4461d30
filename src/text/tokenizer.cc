#include "text/tokenizer.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/character_bpe.h"
#include "text/piece_cache.h"
#include "text/pre_tokenizer.h"
#include "text/splitter.h"
#include "text/unicode_additions.h"

namespace layerboost {

namespace {

/// Finds texts in a table of texts without copying them.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// What one call of encode() writes to.
struct Workspace {
  Regex::MatchData match_data = Regex::make_match_data();
  PieceCache cache;
};

/// Workspaces for calls to come: as many as there ever were calls at the same time.
class WorkspacePool {
 public:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

/// Added tokens in the order in which they are looked for.
struct AddedTokens {
  AddedTokenMatcher before, after;  // normalisation

  AddedTokens(const TokenizerData& data, const Normalizer& normalizer, bool with_special)
      : before(chosen(data, normalizer, with_special, false)), after(chosen(data, normalizer, with_special, true)) {}

 private:
  static std::vector<AddedToken> chosen(const TokenizerData& data, const Normalizer& normalizer, bool with_special,
                                        bool normalized) {
    std::vector<AddedToken> tokens;
    for (const AddedToken& token : data.added) {
      if ((token.special && !with_special) || token.normalized != normalized) continue;
      tokens.push_back(token);
      if (normalized && valid_utf8_prefix(token.content) == token.content.size())
        tokens.back().content = normalizer(token.content);
      if (tokens.back().content.empty())
        fail("tokenizer: nothing is left of the added token {} after normalisation", in_quotes(token.content));
    }
    return tokens;
  }
};

/// Texts by id, one behind the other.
class TextTable {
 public:
  void add(std::string_view text) {
    texts_ += text;
    ends_.push_back(texts_.size());
  }
  [[nodiscard]] std::string_view operator[](TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= ends_.size()) return {};
    const std::size_t begin = id == 0 ? 0 : ends_[static_cast<std::size_t>(id) - 1];
    return std::string_view(texts_).substr(begin, ends_[static_cast<std::size_t>(id)] - begin);
  }

 private:
  std::string texts_;
  std::vector<std::size_t> ends_;
};

/// The bytes of a token that isn't an added one. `spaces` makes spaces of what stands for them.
std::string bytes_of(const std::string& token, const TokenizerData& data, const Normalizer& spaces) {
  if (!data.characters) return alphabet_to_bytes(token);
  if (const int byte = byte_of_token(token); byte >= 0) return {static_cast<char>(byte)};
  return spaces(token);
}

/// Whether every part of a text gets a space in front, not only its beginning.
bool parts_begin_with_space(const TokenizerData& data) {
  return std::any_of(data.rewriting.begin(), data.rewriting.end(),
                     [](const RewriteStep& step) { return step.pattern.empty(); }) ||
         std::any_of(data.split_steps.begin(), data.split_steps.end(),
                     [](const SplitStep& step) { return step.prefix_space && !step.first_only; });
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerData given);

  /// `find`: the next added token before normalisation; `added_in`: those to look for after it, by the range of text.
  template <typename Find, typename AddedIn>
  std::vector<TokenId> encode(std::string_view text, const Find& find, const AddedIn& added_in, Begins begins) const;
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool parse_special, Begins begins) const;
  void encode_plain(std::string_view text, Begins begins, const AddedTokens& added, Workspace& workspace,
                    std::vector<TokenId>& ids) const;
  void encode_normalized(std::string_view text, Begins begins, const AddedTokens& added, Workspace& workspace,
                         std::vector<TokenId>& ids) const;
  void encode_valid(std::string_view text, Begins begins, Workspace& workspace, std::vector<TokenId>& ids) const;
  void encode_characters(std::string_view text, Begins begins, Workspace& workspace, std::vector<TokenId>& ids) const;
  void encode_broken(std::string_view bytes, std::vector<TokenId>& ids) const;

  TokenizerData data;
  Normalizer normalizer;
  std::optional<PreTokenizer> pre_tokenizer;  // none: splitter cuts
  Splitter splitter;
  std::optional<BytePairEncoder> byte_bpe;        // this,
  std::optional<CharacterEncoder> character_bpe;  // or this
  AddedTokens all_added, plain_added;
  TextTable token_bytes, token_pieces;  // what each spells, and how the vocabulary writes it
  std::vector<bool> special;
  bool every_part_begins = false;  // a text, as far as spaces in front are concerned
  bool rewrites_controls = false;  // whether `rewriting` may make a control token of what is none yet
  std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>> whole_pieces;  // by bytes, if ignore_merges
  // Mutable because encode() is const: it has a lock of its own, and no result depends on what lies in it.
  mutable WorkspacePool workspaces;
};

Tokenizer::Impl::Impl(TokenizerData given)
    : data(std::move(given)),
      normalizer(data.nfc, data.rewriting),
      splitter(data.split_steps),
      all_added(data, normalizer, true),
      plain_added(data, normalizer, false),
      special(data.tokens.size()) {
  if (data.characters)
    character_bpe.emplace(data);
  else
    byte_bpe.emplace(data.tokens, data.merges, UnknownBytes{data.unknown, data.fuse_unknown});
  if (!data.characters && (data.split_steps.empty() || !data.pre_tokenizer.empty()))
    pre_tokenizer.emplace(data.pre_tokenizer);
  every_part_begins = parts_begin_with_space(data);
  rewrites_controls =
      !data.rewriting.empty() && std::any_of(data.added.begin(), data.added.end(),
                                             [](const AddedToken& token) { return token.special && token.normalized; });
  std::vector<const AddedToken*> added(data.tokens.size(), nullptr);
  for (const AddedToken& token : data.added) {
    added[static_cast<std::size_t>(token.id)] = &token;
    special[static_cast<std::size_t>(token.id)] = token.special;
  }
  std::vector<RewriteStep> marks;
  if (data.characters && !data.characters->space.empty()) marks.push_back({data.characters->space, " "});
  const Normalizer spaces(false, std::move(marks));
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    token_pieces.add(added[id] == nullptr ? data.tokens[id] : added[id]->content);
    if (added[id] == nullptr)
      token_bytes.add(bytes_of(data.tokens[id], data, spaces));
    else if (data.characters && !added[id]->special)  // as in Hugging Face's implementation, with the space it took
      token_bytes.add(
          bytes_of(added[id]->normalized ? normalizer(added[id]->content) : added[id]->content, data, spaces));
    else
      token_bytes.add(added[id]->content);
  }
  if (data.ignore_merges && !data.characters) {
    whole_pieces.reserve(data.tokens.size());
    // A text that isn't a control token never becomes one.
    for (std::size_t id = 0; id < data.tokens.size(); ++id) {
      if (added[id] != nullptr && (!added[id]->in_vocabulary || added[id]->special)) continue;
      if (auto bytes = bytes_in_alphabet(data.tokens[id]); bytes && !bytes->empty())
        whole_pieces.emplace(std::move(*bytes), static_cast<TokenId>(id));
    }
  }
  data.tokens = {};  // the tables and the encoder hold what they say
  data.merges = {};
  if (data.characters) data.characters->scores = {};
}

// Text without the added tokens that come before normalisation.
void Tokenizer::Impl::encode_plain(std::string_view text, Begins begins, const AddedTokens& added, Workspace& workspace,
                                   std::vector<TokenId>& ids) const {
  std::string buffer;
  while (!text.empty()) {
    const std::string_view valid = text.substr(0, valid_utf8_prefix(text));
    encode_normalized(normalizer.apply(valid, begins != Begins::nothing, buffer), begins, added, workspace, ids);
    text.remove_prefix(valid.size());
    if (text.empty()) return;
    const std::size_t broken = decode_utf8(text).length;
    encode_broken(text.substr(0, broken), ids);
    text.remove_prefix(broken);
    begins = Begins::nothing;
  }
}

void Tokenizer::Impl::encode_broken(std::string_view bytes, std::vector<TokenId>& ids) const {
  if (character_bpe) return character_bpe->encode_bytes(bytes, ids);
  for (const char byte : bytes) {
    const TokenId id = byte_bpe->byte_token(static_cast<unsigned char>(byte));
    if (id >= 0 || data.unknown >= 0) ids.push_back(id >= 0 ? id : data.unknown);
  }
}

void Tokenizer::Impl::encode_normalized(std::string_view text, Begins begins, const AddedTokens& added,
                                        Workspace& workspace, std::vector<TokenId>& ids) const {
  for (std::size_t at = 0; at < text.size();) {
    const auto match = added.after.find(text, at);
    encode_valid(text.substr(at, match.begin - at), at == 0 ? begins : Begins::part, workspace, ids);
    if (match.id >= 0) ids.push_back(match.id);
    at = match.end;
  }
}

void Tokenizer::Impl::encode_valid(std::string_view text, Begins begins, Workspace& workspace,
                                   std::vector<TokenId>& ids) const {
  if (character_bpe) return encode_characters(text, begins, workspace, ids);
  const auto encode_piece = [this](std::string_view piece, std::vector<TokenId>& out) {
    if (!whole_pieces.empty()) {
      if (const auto whole = whole_pieces.find(piece); whole != whole_pieces.end()) {
        out.push_back(whole->second);
        return;
      }
    }
    byte_bpe->encode(piece, out);
  };
  if (!pre_tokenizer) {
    splitter.split(
        text, workspace.match_data.get(),
        [&](std::string_view piece) { workspace.cache.append(piece, ids, encode_piece); }, begins);
    return;
  }
  const bool additions = may_have_unicode_additions(text);
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = pre_tokenizer->next(text, begin, workspace.match_data.get(), additions);
    workspace.cache.append(text.substr(begin, end - begin), ids, encode_piece);
  }
}

void Tokenizer::Impl::encode_characters(std::string_view text, Begins begins, Workspace& workspace,
                                        std::vector<TokenId>& ids) const {
  const auto encode_part = [this](std::string_view part, std::vector<TokenId>& out) {
    character_bpe->encode(part, out);
  };
  const auto encode_piece = [&](std::string_view piece) {
    for (std::size_t begin = 0, end = 0; begin < piece.size(); begin = end) {
      end = character_bpe->end_of_part(piece, begin);
      workspace.cache.append(piece.substr(begin, end - begin), ids, encode_part);
    }
  };
  splitter.split(text, workspace.match_data.get(), encode_piece, begins);
}

namespace {

// Checks the data before anything is built from them.
TokenizerData checked(TokenizerData data) {
  if (data.tokens.empty()) fail("tokenizer: the vocabulary is empty");
  const auto size = data.tokens.size();
  if (size > std::numeric_limits<TokenId>::max()) fail("tokenizer: {} tokens are too many", size);
  const auto outside = [&](TokenId id) { return id < 0 || static_cast<std::size_t>(id) >= size; };
  for (const AddedToken& token : data.added) {
    if (token.content.empty()) fail("tokenizer: added token {} is empty", token.id);
    if (outside(token.id))
      fail("tokenizer: added token {} has id {}; the vocabulary has {}", in_quotes(token.content), token.id, size);
  }
  if (data.bos != -1 && outside(data.bos)) fail("tokenizer: BOS is token {}; the vocabulary has {}", data.bos, size);
  if (data.text_start != -1 && outside(data.text_start))
    fail("tokenizer: texts begin with token {}; the vocabulary has {}", data.text_start, size);
  if (data.eos != -1 && outside(data.eos)) fail("tokenizer: EOS is token {}; the vocabulary has {}", data.eos, size);
  if (data.unknown != -1 && outside(data.unknown))
    fail("tokenizer: unknown characters are token {}; the vocabulary has {}", data.unknown, size);
  if (!data.characters) return data;
  if (const auto scores = data.characters->scores.size(); scores > 0 && scores != size)
    fail("tokenizer: {} scores for {} tokens", scores, size);
  return data;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerData data) : impl_(std::make_unique<const Impl>(checked(std::move(data)))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

template <typename Find, typename AddedIn>
std::vector<TokenId> Tokenizer::Impl::encode(std::string_view text, const Find& find, const AddedIn& added_in,
                                             Begins begins) const {
  if (text.size() > std::numeric_limits<std::int32_t>::max())
    fail("tokenizer: a text of {} bytes is too long; at most 2 GiB at once", text.size());
  auto workspace = workspaces.take();
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 4);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = find(text, at);
    encode_plain(text.substr(at, match.begin - at), at == 0 ? begins : Begins::part,
                 added_in(TextRange{at, match.begin}), *workspace, ids);
    if (match.id >= 0) ids.push_back(match.id);
    at = match.end;
  }
  workspaces.give_back(std::move(workspace));
  return ids;
}

std::vector<TokenId> Tokenizer::Impl::encode(std::string_view text, bool parse_special, Begins begins) const {
  const AddedTokens& added = parse_special ? all_added : plain_added;
  return encode(
      text, [&](std::string_view whole, std::size_t at) { return added.before.find(whole, at); },
      [&](TextRange) -> const AddedTokens& { return added; }, begins);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  return impl_->encode(text, parse_special, Begins::text);
}

std::vector<TokenId> Tokenizer::encode_rest(std::string_view text, bool parse_special) const {
  return impl_->encode(text, parse_special, Begins::nothing);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, std::span<const TextRange> plain) const {
  auto range = plain.begin();  // the first that doesn't end before what is being looked at
  const auto find = [&](std::string_view whole, std::size_t at) {
    for (std::size_t from = at;; ++from) {
      const AddedTokenMatcher::Match match = impl_->all_added.before.find(whole, from);
      if (match.id < 0 || !is_special(match.id)) return match;
      while (range != plain.end() && range->end <= match.token) ++range;
      if (range == plain.end() || range->begin >= match.token + bytes(match.id).size()) return match;
      // Here it is a text, with which a token that isn't a control token may begin.
      const AddedTokenMatcher::Match other = impl_->plain_added.before.find(whole, match.token, match.token + 1);
      if (other.id >= 0) return other;
      from = match.token;
    }
  };
  // After normalisation nothing tells where a range was.
  const auto added_in = [&](TextRange piece) -> const AddedTokens& {
    const auto next = std::ranges::partition_point(plain, [&](TextRange r) { return r.end <= piece.begin; });
    return next != plain.end() && next->begin < piece.end ? impl_->plain_added : impl_->all_added;
  };
  return impl_->encode(text, find, added_in, Begins::text);
}

std::string Tokenizer::rewritten(std::string_view text) const {
  if (!impl_->rewrites_controls || valid_utf8_prefix(text) != text.size()) return std::string(text);
  return impl_->normalizer(text, false);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string text;
  TokenBytes bytes(*this);
  for (const TokenId id : ids)
    if (!skip_special || !is_special(id)) text += bytes.next(id);
  return text;
}

int Tokenizer::leading_spaces(std::span<const TokenId> before) const {
  if (!impl_->data.characters || impl_->data.characters->leading_spaces == 0) return 0;
  const auto control = [&](TokenId id) { return is_special(id); };
  const bool begins = std::ranges::all_of(before, control) || (impl_->every_part_begins && control(before.back()));
  return begins ? impl_->data.characters->leading_spaces : 0;
}

std::string_view Tokenizer::bytes(TokenId id) const { return impl_->token_bytes[id]; }
std::string_view Tokenizer::piece(TokenId id) const { return impl_->token_pieces[id]; }

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < impl_->special.size() &&
         impl_->special[static_cast<std::size_t>(id)];
}

TokenId Tokenizer::size() const { return static_cast<TokenId>(impl_->special.size()); }
TokenId Tokenizer::bos() const { return impl_->data.bos; }
TokenId Tokenizer::eos() const { return impl_->data.eos; }
bool Tokenizer::add_bos() const { return impl_->data.add_bos; }
TokenId Tokenizer::text_start() const { return impl_->data.text_start >= 0 ? impl_->data.text_start : bos(); }
const std::string& Tokenizer::chat_template() const { return impl_->data.chat_template; }
const std::string& Tokenizer::tool_template() const { return impl_->data.tool_template; }

}  // namespace layerboost
