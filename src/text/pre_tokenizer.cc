#include "text/pre_tokenizer.h"

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

}  // namespace

PreTokenizer::PreTokenizer(std::string_view name, bool jit)
    : regex_(pattern_of(name), {.anchored = true, .jit = jit, .limited = false}) {}

std::size_t PreTokenizer::next(std::string_view text, std::size_t start, pcre2_match_data* data, bool additions) const {
  const auto match = regex_.find(text, start, data, additions);
  LB_CHECK(match && match->end > start);
  return match->end;
}

}  // namespace layerboost
