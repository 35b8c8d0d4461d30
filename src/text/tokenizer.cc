#include "text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <mutex>
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

namespace layerboost {

namespace {

/// What one call of encode() writes to.
struct Workspace {
  PreTokenizer::MatchData match_data = PreTokenizer::make_match_data();
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

std::vector<AddedToken> without_special(std::vector<AddedToken> tokens) {
  std::erase_if(tokens, [](const AddedToken& token) { return token.special; });
  return tokens;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerData given);

  void encode_plain(std::string_view text, Workspace& workspace, std::vector<TokenId>& ids) const;
  void encode_valid(std::string_view text, Workspace& workspace, std::vector<TokenId>& ids) const;
  [[nodiscard]] std::string_view bytes(TokenId id) const;

  TokenizerData data;
  PreTokenizer pre_tokenizer;
  BytePairEncoder bpe;
  AddedTokenMatcher all_added, plain_added;
  std::string all_bytes;                 // of all tokens, one after the other
  std::vector<std::size_t> byte_starts;  // by id, and the end
  std::vector<bool> special;
  std::unordered_map<std::string_view, TokenId> whole_pieces;  // by bytes; empty unless ignore_merges
  // Mutable because encode() is const: it has a lock of its own, and no result depends on what lies in it.
  mutable WorkspacePool workspaces;
};

Tokenizer::Impl::Impl(TokenizerData given)
    : data(std::move(given)),
      pre_tokenizer(data.pre_tokenizer),
      bpe(data.tokens, data.merges),
      all_added(data.added),
      plain_added(without_special(data.added)),
      special(data.tokens.size()) {
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

// Text without added tokens.
void Tokenizer::Impl::encode_plain(std::string_view text, Workspace& workspace, std::vector<TokenId>& ids) const {
  while (!text.empty()) {
    const std::string_view valid = text.substr(0, valid_utf8_prefix(text));
    if (data.nfc && may_change_under_nfc(valid))
      encode_valid(to_nfc(valid), workspace, ids);
    else
      encode_valid(valid, workspace, ids);
    text.remove_prefix(valid.size());
    if (text.empty()) return;
    for (const char byte : text.substr(0, decode_utf8(text).length)) {
      const TokenId id = bpe.byte_token(static_cast<unsigned char>(byte));
      if (id >= 0) ids.push_back(id);
    }
    text.remove_prefix(decode_utf8(text).length);
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
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = pre_tokenizer.next(text, begin, workspace.match_data.get());
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
  if (data.eos != -1 && outside(data.eos)) fail("tokenizer: EOS is token {}; the vocabulary has {}", data.eos, size);
  return data;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerData data) : impl_(std::make_unique<const Impl>(checked(std::move(data)))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  if (text.size() > std::numeric_limits<std::int32_t>::max())
    fail("tokenizer: a text of {} bytes is too long; at most 2 GiB at once", text.size());
  const AddedTokenMatcher& matcher = parse_special ? impl_->all_added : impl_->plain_added;
  auto workspace = impl_->workspaces.take();
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 4);
  for (std::size_t at = 0; at < text.size();) {
    const auto match = matcher.find(text, at);
    impl_->encode_plain(text.substr(at, match.begin - at), *workspace, ids);
    if (match.id >= 0) ids.push_back(match.id);
    at = match.end;
  }
  impl_->workspaces.give_back(std::move(workspace));
  return ids;
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
const std::string& Tokenizer::chat_template() const { return impl_->data.chat_template; }
const std::string& Tokenizer::tool_template() const { return impl_->data.tool_template; }

}  // namespace layerboost
