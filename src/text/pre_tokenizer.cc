#include "text/pre_tokenizer.h"

#include <cstdint>
#include <limits>
#include <string>

#include "base/error.h"

namespace layerboost {

namespace {

// Each digit is cut out first and GPT-2's pattern sees what is between them, so white space before a digit is like
// white space at the end of the text.
constexpr std::string_view smollm_pattern =
    R"(\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+)";

std::string_view pattern_of(std::string_view name) {
  if (name == "gpt2") return gpt2_pattern;
  if (name == "smollm") return smollm_pattern;
  if (name == "llama3") return llama3_pattern;
  if (name == "qwen2") return qwen2_pattern;
  fail("unknown pre-tokenizer \"{}\"; known: gpt2, smollm, llama3, qwen2", name);
}

// Writes out \s and \S, inside and outside of classes: the models' own engine means Unicode's White_Space, PCRE2 U+180E
// as well.
std::string with_unicode_white_space(std::string_view pattern) {
  const std::string space = R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view escape = pattern.substr(i, 2);
    if (escape == R"(\s)" || escape == R"(\S)") {
      LB_CHECK(!in_class || escape == R"(\s)");
      out += in_class ? space : (escape == R"(\s)" ? "[" : "[^") + space + "]";
      ++i;
    } else {
      if (pattern[i] == '[') in_class = true;
      if (pattern[i] == ']') in_class = false;
      out += pattern[i];
    }
  }
  return out;
}

}  // namespace

PreTokenizer::PreTokenizer(std::string_view name, bool jit) : context_(pcre2_match_context_create(nullptr)) {
  int error = 0;
  std::size_t error_offset = 0;
  const std::string pattern = with_unicode_white_space(pattern_of(name));
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &error_offset, nullptr));
  LB_CHECK(code_ != nullptr && context_ != nullptr);
  // Where the system forbids writable and executable memory this fails, and pcre2_match() interprets.
  if (jit) pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  // A megabyte of spaces takes a million steps; the patterns are linear, so no limit is needed.
  constexpr auto unlimited = std::numeric_limits<std::uint32_t>::max();
  pcre2_set_match_limit(context_.get(), unlimited);
  pcre2_set_depth_limit(context_.get(), unlimited);
  pcre2_set_heap_limit(context_.get(), unlimited);
}

PreTokenizer::MatchData PreTokenizer::make_match_data() {
  MatchData data(pcre2_match_data_create(1, nullptr));
  LB_CHECK(data != nullptr);
  return data;
}

std::size_t PreTokenizer::next(std::string_view text, std::size_t start, pcre2_match_data* data) const {
  const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                                PCRE2_NO_UTF_CHECK, data, context_.get());
  LB_CHECK(count > 0);
  const std::size_t end = pcre2_get_ovector_pointer(data)[1];
  LB_CHECK(end > start);
  return end;
}

}  // namespace layerboost
