// The tokenizer: text to token ids and back, exactly as the model was trained with. encode() first finds added tokens
// such as "<|im_start|>"; the text between them is normalised where the model wants that, cut into pre-tokens by the
// model's pattern, and merged into tokens, best merge first. Merging begins with bytes (byte-level BPE) or with
// characters (SentencePiece's BPE); other kinds are refused. TokenizerData is what a model's files say; a Tokenizer is
// built from it once and doesn't change. A StreamDecoder makes text of tokens that come one by one. Chat templates are
// only kept here: text/chat_template.h renders them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layerboost/types.h"
#include "text/normalizer.h"
#include "text/split_step.h"

namespace layerboost {

/// A token that is matched in raw text before BPE ("<|im_start|>").
struct AddedToken {
  TokenId id = 0;
  std::string content;   // raw UTF-8
  bool special = false;  // control tokens: skipped when decoding for people
  bool lstrip = false, rstrip = false;
  bool single_word = false;    // not matched beside a letter, a digit or "_"
  bool normalized = false;     // matched after normalisation, and in what the other tokens leave
  bool in_vocabulary = false;  // a token like others as well, which a piece may become where merges are ignored
};

/// What BPE that begins with characters needs besides merges, as SentencePiece's models have it. A character without a
/// token becomes the tokens of its bytes ("<0x0A>"), if all of them are there, or else is unknown.
struct CharacterRules {
  std::vector<float> scores = {};  // by id; not empty: they say what merges, in place of `merges`
  std::string space = {};          // what tokens write in place of a space ("▁"); empty: nothing
  int leading_spaces = 0;          // so many spaces at the beginning of a text are left out when it is decoded
};

/// What a tokenizer is made from; the GGUF reader and read_tokenizer_json() fill it.
struct TokenizerData {
  /// By id, in GPT-2's byte-to-Unicode alphabet or, where there are rules for characters, as they are; added tokens as
  /// raw text.
  std::vector<std::string> tokens;
  std::vector<std::string> merges;  // "left right", best first
  std::vector<AddedToken> added;
  std::string pre_tokenizer;  // "gpt2", "smollm", "llama3" or "qwen2"; empty: split_steps say how text is cut, if it is
  std::vector<SplitStep> split_steps;
  bool nfc = false;                    // text is brought into normalisation form C first: true for Qwen's tokenizers
  std::vector<RewriteStep> rewriting;  // what becomes of text then, step by step
  std::optional<CharacterRules> characters;  // none: byte-level BPE
  TokenId unknown = -1;                      // what characters, or bytes, without a token become; -1: nothing
  bool fuse_unknown = true;                  // neighbours that are unknown become one token
  TokenId bos = -1, eos = -1;                // -1: the model has none
  bool add_bos = false;                      // whether texts are to begin with BOS where the caller says "auto"
  TokenId text_start = -1;                   // what they begin with in its place; -1: BOS
  bool ignore_merges = false;                // llama3: a pre-token that is in the vocabulary is one token
  std::string chat_template;                 // Jinja; empty: none
  std::string tool_template;                 // takes its place where the messages come with tools; empty: the same one
};

/// Reads `tokenizer.json`, or `vocab.json` and `merges.txt` where there is none, and what lies beside them:
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json, chat templates. Throws Error for a missing file,
/// another kind of model than BPE, or a normaliser, pre-tokenizer or decoder that isn't supported.
TokenizerData read_tokenizer_json(const std::string& directory);

/// The bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0, end = 0;
};

/// Immutable once built; safe to use from several threads.
class Tokenizer {
 public:
  /// Throws Error when the data don't make a tokenizer (a merge of unknown tokens, an unknown pre-tokenizer, no
  /// tokens).
  explicit Tokenizer(TokenizerData data);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// The ids of `text`; never adds BOS by itself. Bytes that aren't UTF-8 are encoded too (each through its byte
  /// token). decode() gives `text` back byte by byte, but for what the model's own tokenizer changes as well:
  /// normalisation (`nfc`, `rewriting`), white space beside tokens with lstrip or rstrip, what `split_steps` put in
  /// front or remove, and bytes that the vocabulary has no token for, which are left out or unknown (SmolLM2 lacks 21,
  /// among them C0, C1 and F5 to FF). Throws Error for more than 2 GiB, and where an expression of `split_steps` takes
  /// too long.
  /// `parse_special`: whether "<|im_start|>" in the text becomes the control token (prompts) or is plain text (users'
  /// words).
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool parse_special = true) const;

  /// Does as encode(), but no control token is found where it shares bytes with one of `plain`: ranges in order, which
  /// don't overlap. Of control tokens that are looked for after normalisation none is found beside them either, up to
  /// the next one of the others.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, std::span<const TextRange> plain) const;

  /// Does as encode(), of a text that goes on from another: no space is put in front of it.
  [[nodiscard]] std::vector<TokenId> encode_rest(std::string_view text, bool parse_special = true) const;

  /// `text` as control tokens are looked for in it: where any are looked for after normalisation, `text` normalised,
  /// but without what `rewriting` puts in front; else itself.
  [[nodiscard]] std::string rewritten(std::string_view text) const;

  /// The bytes of `ids`, which begin a text; unknown ids give nothing. `skip_special` leaves out control tokens.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;

  /// The bytes of one token, possibly part of a character, and with the space in front that a text's first token may
  /// lose.
  [[nodiscard]] std::string_view bytes(TokenId id) const;

  /// A token as the vocabulary writes it ("\u0120the", "\u2581the", "<0x0A>").
  [[nodiscard]] std::string_view piece(TokenId id) const;

  /// How many spaces, at most, text behind `before` loses in front when it is decoded: as many as encode() puts there,
  /// which it does where there are only control tokens before it, and for many models behind any control token.
  /// Elsewhere it goes on from other text, and loses none.
  [[nodiscard]] int leading_spaces(std::span<const TokenId> before) const;

  [[nodiscard]] bool is_special(TokenId id) const;
  [[nodiscard]] TokenId size() const;  // ids are 0 .. size()-1
  [[nodiscard]] TokenId bos() const;
  [[nodiscard]] TokenId eos() const;
  [[nodiscard]] bool add_bos() const;
  /// What texts begin with where add_bos(): BOS, or what the model has in its place.
  [[nodiscard]] TokenId text_start() const;
  [[nodiscard]] const std::string& chat_template() const;
  [[nodiscard]] const std::string& tool_template() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// The bytes of tokens that come one by one, without the spaces in front that a text's beginning loses.
class TokenBytes {
 public:
  /// `before`: the tokens that those to come follow. Requires: `tokenizer` outlives this.
  explicit TokenBytes(const Tokenizer& tokenizer, std::span<const TokenId> before = {})
      : tokenizer_(&tokenizer), spaces_(tokenizer.leading_spaces(before)) {}
  std::string_view next(TokenId id);

 private:
  const Tokenizer* tokenizer_;
  int spaces_;  // that are left out if they are next
};

/// Turns a stream of ids into text that never ends inside a UTF-8 character. Bytes that can't become a character come
/// out as U+FFFD.
class StreamDecoder {
 public:
  /// `before`: the tokens that those to come follow. Requires: `tokenizer` outlives this.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true, std::span<const TokenId> before = {});
  /// The text that `id` completes; often empty for multi-byte characters.
  std::string push(TokenId id);
  /// What is left, incomplete bytes as U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  TokenBytes bytes_;
  bool skip_special_;
  std::string pending_;
};

/// The text of all of `tokens`, which follow `before`, as a StreamDecoder gives it, control tokens left out.
std::string text_of(const Tokenizer& tokenizer, std::span<const TokenId> tokens, std::span<const TokenId> before = {});

}  // namespace layerboost
