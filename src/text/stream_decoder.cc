#include "base/utf8.h"
#include "text/tokenizer.h"

namespace layerboost {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// Moves what can be said for certain from `pending` to the result; a character cut short at the end stays.
std::string take_complete(std::string& pending) {
  std::string text;
  std::string_view rest = pending;
  while (!rest.empty()) {
    const Utf8Char next = decode_utf8(rest);
    if (next.kind == Utf8Char::Kind::truncated) break;
    text += next.kind == Utf8Char::Kind::valid ? rest.substr(0, next.length) : replacement;
    rest.remove_prefix(next.length);
  }
  pending.erase(0, pending.size() - rest.size());
  return text;
}

}  // namespace

std::string_view TokenBytes::next(TokenId id) {
  std::string_view bytes = tokenizer_->bytes(id);
  for (; spaces_ > 0 && bytes.starts_with(' '); --spaces_) bytes.remove_prefix(1);
  if (!bytes.empty()) spaces_ = 0;
  return bytes;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special, std::span<const TokenId> before)
    : tokenizer_(&tokenizer), bytes_(tokenizer, before), skip_special_(skip_special) {}

std::string StreamDecoder::push(TokenId id) {
  if (!skip_special_ || !tokenizer_->is_special(id)) pending_ += bytes_.next(id);
  return take_complete(pending_);
}

std::string StreamDecoder::finish() {
  std::string text = take_complete(pending_);
  if (!pending_.empty()) text += replacement;  // one truncated character is one maximal subpart
  pending_.clear();
  return text;
}

std::string text_of(const Tokenizer& tokenizer, std::span<const TokenId> tokens, std::span<const TokenId> before) {
  StreamDecoder decoder(tokenizer, true, before);
  std::string text;
  for (const TokenId token : tokens) text += decoder.push(token);
  return text + decoder.finish();
}

}  // namespace layerboost
