#include "text/regex.h"

#include <array>
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "base/in_quotes.h"
#include "text/regex_translation.h"

namespace layerboost {

namespace {

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

Regex::Regex(std::string_view pattern, const Options& options) : context_(pcre2_match_context_create(nullptr)) {
  constexpr std::size_t longest = 1 << 16;
  if (pattern.size() > longest)
    fail("the regular expression {} has {} bytes; at most {} are read", in_quotes(pattern), pattern.size(), longest);
  LB_CHECK(context_ != nullptr);
  // For Oniguruma ^ and $ are the ends of lines. \C would match a part of a character.
  const std::uint32_t flags =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | (options.anchored ? PCRE2_ANCHORED : 0);
  const auto compile = [&](const std::string& translated, auto& code) {
    int error = 0;
    std::size_t error_offset = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), flags, &error,
                             &error_offset, nullptr));
    if (code == nullptr) fail("the regular expression {} isn't understood: {}", in_quotes(pattern), message_of(error));
    // Where the system forbids writable and executable memory this fails, and pcre2_match() interprets.
    if (options.jit) pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  };
  const std::string whole = to_pcre2(pattern), plain = to_pcre2(pattern, false);
  if (whole.size() > most_translated) fail("the regular expression {} has too many classes", in_quotes(pattern));
  compile(whole, code_);
  if (plain != whole) compile(plain, plain_code_);
  if (options.limited) {
    pcre2_set_heap_limit(context_.get(), 64 << 10);  // KiB; match data keep what a search took
    return;
  }
  // A megabyte of spaces takes a million steps.
  constexpr auto unlimited = std::numeric_limits<std::uint32_t>::max();
  pcre2_set_match_limit(context_.get(), unlimited);
  pcre2_set_depth_limit(context_.get(), unlimited);
  pcre2_set_heap_limit(context_.get(), unlimited);
}

Regex::MatchData Regex::make_match_data() {
  MatchData data(pcre2_match_data_create(1, nullptr));
  LB_CHECK(data != nullptr);
  return data;
}

std::optional<Regex::Match> Regex::find(std::string_view text, std::size_t start, pcre2_match_data* data,
                                        bool additions) const {
  const pcre2_code* const code = additions || plain_code_ == nullptr ? code_.get() : plain_code_.get();
  const auto match = [&](std::uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                       PCRE2_NO_UTF_CHECK | options, data, context_.get());
  };
  int count = match(0);
  // The machine code has a small stack; the interpreter takes memory as it needs it.
  if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = match(PCRE2_NO_JIT);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0)
    fail("tokenizer: cutting {} bytes of text by a regular expression: {}; shorter texts may work", text.size(),
         message_of(count));
  const std::size_t* const offsets = pcre2_get_ovector_pointer(data);
  return Match{offsets[0], offsets[1]};
}

}  // namespace layerboost
