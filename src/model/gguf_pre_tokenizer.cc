#include "model/gguf_pre_tokenizer.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "text/pre_tokenizer.h"

namespace layerboost {
namespace {

using Patterns = std::span<const std::string_view>;

// Each list is what the models' own tokenizer.json cuts by, one expression after the other.
constexpr std::array<std::string_view, 1> tekken = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 1> gpt4o = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 2> youtu = {
    R"([\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+|[\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}\x{ff1b}\x{ff0c}\x{3001}-\x{303f}\x{fe30}-\x{fe4f}]+|[\x{3105}-\x{312f}]+|[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};
// Numbers that end where a word does are cut from the right. Theirs does it by \d{1,3}(?=(?:\d{3})*\b), which takes
// quadratic time in long numbers; here such a number is cut out, then what is in front of its groups of three, and the
// rest does the same.
constexpr std::array<std::string_view, 3> tiny_aya = {R"((?<!\d)\d++\b)", R"(\A\d{1,2}(?=(?:\d{3})++\z))", gpt4o[0]};
constexpr std::array<std::string_view, 1> kimi_k2 = {
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 1> seed_coder = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 1> bailing_moe = {
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 6> deepseek_llm = {
    R"([\r\n])",
    R"(\s?[A-Za-z)"
    R"(\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af})"
    R"(\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1})"
    R"(\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5})"
    R"(\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77})"
    R"(\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d})"
    R"(\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc})"
    R"(\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec})"
    R"(\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d})"
    R"(\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f})"
    R"(\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee})"
    R"(\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787})"
    R"(\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a})"
    R"(\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2})"
    R"(\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    R"(]+)",
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)",
    R"((?<!\s)\s+$)",  // theirs is \s+$, which cuts the same and takes quadratic time in long white space
    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
    R"(\p{N})",
};
constexpr std::array<std::string_view, 5> deepseek_coder = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N})",
};
constexpr std::array<std::string_view, 3> deepseek_v3 = {
    R"(\p{N}{1,3})",
    R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};
constexpr std::array<std::string_view, 4> spark = {
    R"(\p{N}{1,3})",
    R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)",
    R"(\p{N})",
};
// Numbers are cut from the right, by code in llama.cpp.
constexpr std::array<std::string_view, 5> afmoe = {
    R"(\p{N}+)",
    R"(\A\p{N}{1,2}(?=(?:\p{N}{3})++\z))",
    R"(\p{N}{3})",
    R"([\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{f900}-\x{faff}\x{3040}-\x{309f}\x{30a0}-\x{30ff}\x{ff65}-\x{ff9f}\x{2f00}-\x{2fdf}\x{e40}-\x{eff}\x{1780}-\x{17ff}\x{1000}-\x{109f}\x{aa60}-\x{aa7f}\x{a9e0}-\x{a9ff}\x{ac00}-\x{d7af}\x{1100}-\x{11ff}]+)",
    deepseek_v3[2],
};
constexpr std::array<std::string_view, 1> qwen35 = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 1> ufakzeka = {
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 2> laguna = {R"([^\n]+|[\n]+)", qwen2_pattern};
constexpr std::array<std::string_view, 2> minicpm5 = {
    R"(\p{N}{1,3})",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 1> jais2 = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})"};
// Theirs has none of the possessive quantifiers: words with one space between them are one piece, which may be long.
constexpr std::array<std::string_view, 1> exaone_moe = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*+(?: \p{L}\p{M}*+)*+)++|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 6> chameleon = {
    R"(<sentinel:[0-9]+>)", R"(IMGIMG[A-I]{1,4}Z)", R"([\t\n]|    |  )", R"(\p{N})", punctuation_pattern, gpt2_pattern};
constexpr std::array<std::string_view, 1> bloom = {R"( ?[^(\s|[.,!?…。，、।۔،])]+)"};
constexpr std::array<std::string_view, 2> viking = {R"( ?[^(\s|[.,!?…。，、।۔،])]+)", R"(\p{N})"};
// Theirs cuts by \p{N}+ and (?=(\d{3})+(?!\d)), which takes quadratic time in long numbers; this does the same where
// matches go to what follows them.
constexpr std::array<std::string_view, 3> superbpe = {R"(\p{N}+)", R"((?:\d{3})++(?!\d))", R"(\d{3})"};
constexpr std::array<std::string_view, 4> falcon = {R"([\p{P}!-/:-@\[-`{-~]+)", gpt2_pattern, R"(\p{N}+)",
                                                    R"([0-9][0-9][0-9])"};

struct Rule {
  std::string_view name;      // in GGUF
  std::string_view known_as;  // to PreTokenizer; empty: the patterns say
  Patterns patterns = {};
  bool whole_tokens = false;  // a piece that is in the vocabulary is one token, whatever merges say
  bool add_bos = false;
  SplitBehaviour later = SplitBehaviour::isolated;  // of the patterns after the first
};

constexpr std::array rules = {
    Rule{"llama-bpe", "llama3", {}, true, true},
    Rule{"llama3", "llama3", {}, true, true},
    Rule{"llama-v3", "llama3", {}, true, true},
    Rule{"falcon3", "llama3", {}, true, true},
    Rule{"falcon-h1", "llama3", {}, true, true},
    Rule{"pixtral", "llama3", {}, true, true},
    Rule{"midm-2.0", "llama3", {}, true, true},
    Rule{"lfm2", "llama3", {}, true, true},
    Rule{"jina-v5-nano", "llama3", {}, true, true},
    Rule{"dbrx", "llama3"},
    Rule{"smaug-bpe", "llama3"},
    Rule{"chatglm-bpe", "llama3"},
    Rule{"glm4", "llama3"},
    Rule{"qwen2", "qwen2"},
    Rule{"deepseek-r1-qwen", "qwen2"},
    Rule{"kormo", "qwen2"},
    Rule{"f2llmv2", "qwen2"},
    Rule{"megrez", "qwen2"},
    Rule{"stablelm2", "qwen2"},
    Rule{"hunyuan", "qwen2"},
    Rule{"grok-2", "qwen2"},
    Rule{"solar-open", "qwen2"},
    Rule{"gpt-2", "gpt2"},
    Rule{"default", "gpt2"},
    Rule{"phi-2", "gpt2"},
    Rule{"jina-es", "gpt2"},
    Rule{"jina-de", "gpt2"},
    Rule{"jina-v2-es", "gpt2"},
    Rule{"jina-v2-de", "gpt2"},
    Rule{"jina-v2-code", "gpt2"},
    Rule{"jina-v1-en", "gpt2"},
    Rule{"roberta-bpe", "gpt2"},
    Rule{"gigachat", "gpt2"},
    Rule{"a.x-4.0", "gpt2"},
    Rule{"mellum", "gpt2"},
    Rule{"modern-bert", "gpt2"},
    Rule{"exaone4", "gpt2"},
    Rule{"mpt", "gpt2"},
    Rule{"olmo", "gpt2"},
    Rule{"jais", "gpt2"},
    Rule{"trillion", "gpt2"},
    Rule{"granite-docling", "gpt2"},
    Rule{"smollm", "smollm"},
    Rule{"starcoder", "smollm"},
    Rule{"refact", "smollm"},
    Rule{"command-r", "smollm"},
    Rule{"codeshell", "smollm"},
    Rule{"exaone", "smollm"},
    Rule{"minerva-7b", "smollm"},
    Rule{"mellum2", "smollm"},
    Rule{"tekken", "", tekken, true, true},
    Rule{"gpt-4o", "", gpt4o},
    Rule{"llama4", "", gpt4o},
    Rule{"kanana2", "", gpt4o},
    Rule{"talkie", "", gpt4o},
    Rule{"granite-embed-multi-97m", "", gpt4o, true},
    Rule{"minimax-m2", "", gpt4o},
    Rule{"tiny_aya", "", tiny_aya},
    Rule{"cohere2moe", "", tiny_aya},
    Rule{"youtu", "", youtu, true},
    Rule{"kimi-k2", "", kimi_k2},
    Rule{"seed-coder", "", seed_coder},
    Rule{"bailingmoe", "", bailing_moe},
    Rule{"bailingmoe2", "", bailing_moe},
    Rule{"llada-moe", "", bailing_moe},
    Rule{"deepseek-llm", "", deepseek_llm},
    Rule{"deepseek-coder", "", deepseek_coder},
    Rule{"deepseek-v3", "", deepseek_v3},
    Rule{"hunyuan-dense", "", deepseek_v3},
    Rule{"hy_v4", "", deepseek_v3},
    Rule{"joyai-llm", "", deepseek_v3},
    Rule{"spark2_5", "", spark},
    Rule{"afmoe", "", afmoe},
    Rule{"qwen35", "", qwen35},
    Rule{"ufakzeka", "", ufakzeka},
    Rule{"laguna", "", laguna},
    Rule{"minicpm5", "", minicpm5, true},
    Rule{"jais-2", "", jais2},
    Rule{"exaone-moe", "", exaone_moe},
    Rule{"chameleon", "", chameleon, false, true},
    Rule{"poro-chat", "", bloom},
    Rule{"bloom", "", bloom},
    Rule{"gpt3-finnish", "", bloom},
    Rule{"viking", "", viking},
    Rule{"superbpe", "", superbpe, false, false, SplitBehaviour::merged_with_next},
    Rule{"falcon", "", falcon},
};

}  // namespace

void read_gguf_pre_tokenizer(const GgufFile& file, TokenizerData& data) {
  const std::string name = file.text("tokenizer.ggml.pre", "default");
  if (name == "default")
    warn("{}: tokenizer.ggml.pre doesn't say how text is cut into words; it is cut as GPT-2 does, which may be wrong",
         file.where());
  for (const Rule& rule : rules) {
    if (name != rule.name) continue;
    data.pre_tokenizer = rule.known_as;
    for (const std::string_view pattern : rule.patterns) {
      const SplitBehaviour behaviour = data.split_steps.empty() ? SplitBehaviour::isolated : rule.later;
      data.split_steps.push_back({.pattern = std::string(pattern), .behaviour = behaviour});
    }
    if (!data.split_steps.empty()) data.split_steps.push_back({.pattern = "", .byte_level = true});
    data.nfc = name == "qwen2" || name == "qwen35";
    data.ignore_merges = rule.whole_tokens;
    data.add_bos = rule.add_bos;
    return;
  }
  fail("{}: the pre-tokenizer {} is not known; the model's Hugging Face directory, with its tokenizer.json, may work",
       file.where(), in_quotes(name));
}

}  // namespace layerboost
