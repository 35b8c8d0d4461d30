#include "text/tokenizer.h"

#include <algorithm>
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
#include "text/nfc.h"
#include "text/piece_cache.h"
#include "text/pre_tokenizer.h"
#include "text/splitter.h"
#include "text/unicode_additions.h"

namespace layerboost {

namespace {

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

  AddedTokens(const TokenizerData& data, bool with_special)
      : before(chosen(data, with_special, false)), after(chosen(data, with_special, true)) {}

 private:
  static std::vector<AddedToken> chosen(const TokenizerData& data, bool with_special, bool normalized) {
    std::vector<AddedToken> tokens;
    for (const AddedToken& token : data.added) {
      if ((token.special && !with_special) || token.normalized != normalized) continue;
      tokens.push_back(token);
      if (normalized && data.nfc && valid_utf8_prefix(token.content) == token.content.size())
        tokens.back().content = to_nfc(token.content);
    }
    return tokens;
  }
};

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerData given);

  /// `find`: the next added token before normalisation; `added_in`: those to look for after it, by the range of text.
  template <typename Find, typename AddedIn>
  std::vector<TokenId> encode(std::string_view text, const Find& find, const AddedIn& added_in) const;
  void encode_plain(std::string_view text, const AddedTokens& added, Workspace& workspace,
                    std::vector<TokenId>& ids) const;
  void encode_normalized(std::string_view text, const AddedTokens& added, Workspace& workspace,
                         std::vector<TokenId>& ids) const;
  void encode_valid(std::string_view text, Workspace& workspace, std::vector<TokenId>& ids) const;
  [[nodiscard]] std::string_view bytes(TokenId id) const;

  TokenizerData data;
  std::optional<PreTokenizer> pre_tokenizer;  // none: splitter cuts
  Splitter splitter;
  BytePairEncoder bpe;
  AddedTokens all_added, plain_added;
  std::string all_bytes;                 // of all tokens, one after the other
  std::vector<std::size_t> byte_starts;  // by id, and the end
  std::vector<bool> special;
  std::unordered_map<std::string_view, TokenId> whole_pieces;  // by bytes; empty unless ignore_merges
  // Mutable because encode() is const: it has a lock of its own, and no result depends on what lies in it.
  mutable WorkspacePool workspaces;
};

Tokenizer::Impl::Impl(TokenizerData given)
    : data(std::move(given)),
      splitter(data.split_steps),
      bpe(data.tokens, data.merges),
      all_added(data, true),
      plain_added(data, false),
      special(data.tokens.size()) {
  if (data.split_steps.empty() || !data.pre_tokenizer.empty()) pre_tokenizer.emplace(data.pre_tokenizer);
  std::vector<const AddedToken*> added(data.tokens.size(), nullptr);
  for (const AddedToken& token : data.added) {
    added[static_cast<std::size_t>(token.id)] = &token;
    special[static_cast<std::size_t>(token.id)] = token.special;
  }
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    byte_starts.push_back(all_bytes.size());
    all_bytes += added[id] != nullptr ? added[id]->content : alphabet_to_bytes(data.tokens[id]);
  }
  byte_starts.push_back(all_bytes.size());
  if (data.ignore_merges) {
    whole_pieces.reserve(data.tokens.size());
    for (std::size_t id = 0; id < data.tokens.size(); ++id)
      if (added[id] == nullptr) whole_pieces.emplace(bytes(static_cast<TokenId>(id)), static_cast<TokenId>(id));
  }
  data.tokens = {};  // all_bytes and bpe hold what they say
  data.merges = {};
}

std::string_view Tokenizer::Impl::bytes(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= special.size()) return {};
  const std::size_t begin = byte_starts[static_cast<std::size_t>(id)];
  return std::string_view(all_bytes).substr(begin, byte_starts[static_cast<std::size_t>(id) + 1] - begin);
}

// Text without the added tokens that come before normalisation.
void Tokenizer::Impl::encode_plain(std::string_view text, const AddedTokens& added, Workspace& workspace,
                                   std::vector<TokenId>& ids) const {
  while (!text.empty()) {
    const std::string_view valid = text.substr(0, valid_utf8_prefix(text));
    if (data.nfc && may_change_under_nfc(valid))
      encode_normalized(to_nfc(valid), added, workspace, ids);
    else
      encode_normalized(valid, added, workspace, ids);
    text.remove_prefix(valid.size());
    if (text.empty()) return;
    for (const char byte : text.substr(0, decode_utf8(text).length)) {
      const TokenId id = bpe.byte_token(static_cast<unsigned char>(byte));
      if (id >= 0) ids.push_back(id);
    }
    text.remove_prefix(decode_utf8(text).length);
  }
}

void Tokenizer::Impl::encode_normalized(std::string_view text, const AddedTokens& added, Workspace& workspace,
                                        std::vector<TokenId>& ids) const {
  for (std::size_t at = 0; at < text.size();) {
    const auto match = added.after.find(text, at);
    encode_valid(text.substr(at, match.begin - at), workspace, ids);
    if (match.id >= 0) ids.push_back(match.id);
    at = match.end;
  }
}

void Tokenizer::Impl::encode_valid(std::string_view text, Workspace& workspace, std::vector<TokenId>& ids) const {
  const auto encode_piece = [this](std::string_view piece, std::vector<TokenId>& out) {
    const auto whole = whole_pieces.find(piece);
    if (whole != whole_pieces.end())
      out.push_back(whole->second);
    else
      bpe.encode(piece, out);
  };
  if (!pre_tokenizer) {
    splitter.split(text, workspace.match_data.get(),
                   [&](std::string_view piece) { workspace.cache.append(piece, ids, encode_piece); });
    return;
  }
  const bool additions = may_have_unicode_additions(text);
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = pre_tokenizer->next(text, begin, workspace.match_data.get(), additions);
    workspace.cache.append(text.substr(begin, end - begin), ids, encode_piece);
  }
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
  return data;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerData data) : impl_(std::make_unique<const Impl>(checked(std::move(data)))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

template <typename Find, typename AddedIn>
std::vector<TokenId> Tokenizer::Impl::encode(std::string_view text, const Find& find, const AddedIn& added_in) const {
  if (text.size() > std::numeric_limits<std::int32_t>::max())
    fail("tokenizer: a text of {} bytes is too long; at most 2 GiB at once", text.size());
  auto workspace = workspaces.take();
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 4);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = find(text, at);
    encode_plain(text.substr(at, match.begin - at), added_in(TextRange{at, match.begin}), *workspace, ids);
    if (match.id >= 0) ids.push_back(match.id);
    at = match.end;
  }
  workspaces.give_back(std::move(workspace));
  return ids;
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  const AddedTokens& added = parse_special ? impl_->all_added : impl_->plain_added;
  return impl_->encode(
      text, [&](std::string_view whole, std::size_t at) { return added.before.find(whole, at); },
      [&](TextRange) -> const AddedTokens& { return added; });
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
  return impl_->encode(text, find, added_in);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string text;
  for (const TokenId id : ids)
    if (!skip_special || !is_special(id)) text += bytes(id);
  return text;
}

std::string_view Tokenizer::bytes(TokenId id) const { return impl_->bytes(id); }

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
