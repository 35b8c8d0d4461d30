#include "text/pre_tokenizer_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "text/component_json.h"
#include "text/pre_tokenizer.h"

namespace layerboost {
namespace {

constexpr std::array behaviours = {SplitBehaviour::isolated, SplitBehaviour::removed,
                                   SplitBehaviour::merged_with_previous, SplitBehaviour::merged_with_next,
                                   SplitBehaviour::contiguous};

SplitStep isolating(std::string_view pattern) { return {.pattern = std::string(pattern)}; }

SplitStep bytes(std::string_view pattern = "") { return {.pattern = std::string(pattern), .byte_level = true}; }

/// The steps of the rules that have names.
std::vector<SplitStep> steps_of(std::string_view name) {
  if (name == "gpt2") return {bytes(gpt2_pattern)};
  if (name == "smollm") return {isolating(R"(\p{N})"), bytes(gpt2_pattern)};
  if (name == "llama3") return {isolating(llama3_pattern), bytes()};
  if (name == "qwen2") return {isolating(qwen2_pattern), bytes()};
  return {};
}

std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view(R"(\^$.[]|()?*+{}-&)").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

bool is_one_character(std::string_view text) { return !text.empty() && decode_utf8(text).length == text.size(); }

SplitBehaviour behaviour_of(const Json& part, SplitBehaviour otherwise, std::string_view where) {
  const auto name = get_or<std::string>(part, "behavior", std::string(name_of(otherwise)), where);
  for (const SplitBehaviour behaviour : behaviours)
    if (name == name_of(behaviour)) return behaviour;
  fail(
      "{}: \"behavior\" of the pre-tokenizer is {}; known: Isolated, Removed, MergedWithPrevious, MergedWithNext, "
      "Contiguous",
      where, in_quotes(name));
}

SplitStep split_step(const Json& part, std::string_view where) {
  SplitStep step;
  const auto pattern = part.find("pattern");
  if (pattern != part.end() && pattern->is_object() && pattern->contains("String"))
    step.pattern = escaped(get<std::string>(*pattern, "String", where));
  else if (pattern != part.end() && pattern->is_object() && pattern->contains("Regex"))
    step.pattern = get<std::string>(*pattern, "Regex", where);
  if (step.pattern.empty()) fail("{}: a \"Split\" of the pre-tokenizer has no \"pattern\"", where);
  step.behaviour = behaviour_of(part, SplitBehaviour::isolated, where);
  step.invert = get_or(part, "invert", false, where);
  return step;
}

SplitStep step_of(const Json& part, std::string_view where) {
  const auto type = get<std::string>(part, "type", where);
  if (type == "Split") return split_step(part, where);
  if (type == "Digits") return isolating(get_or(part, "individual_digits", false, where) ? R"(\p{N})" : R"(\p{N}+)");
  if (type == "Punctuation")
    return {.pattern = std::string(punctuation_pattern),
            .behaviour = behaviour_of(part, SplitBehaviour::isolated, where)};
  if (type == "WhitespaceSplit") return {.pattern = R"(\s)", .behaviour = SplitBehaviour::removed};
  if (type == "Whitespace")  // its words are other than those of expressions: they have joiners
    return {.pattern = R"([\w\x{200c}\x{200d}]+|[^\w\s\x{200c}\x{200d}]+)",
            .behaviour = SplitBehaviour::removed,
            .invert = true};
  if (type == "ByteLevel")
    return {.pattern = std::string(get_or(part, "use_regex", true, where) ? gpt2_pattern : std::string_view()),
            .prefix_space = get_or(part, "add_prefix_space", true, where),
            .byte_level = true};
  if (type == "Metaspace") return metaspace_step(part, where);
  fail(
      "{}: the pre-tokenizer {} is not supported; Split, Digits, Punctuation, Whitespace, WhitespaceSplit, ByteLevel, "
      "Metaspace and sequences of them are",
      where, in_quotes(type));
}

std::vector<SplitStep> read_steps(const Json& pre_tokenizer, std::string_view where) {
  constexpr std::size_t most_steps = 64;
  std::vector<SplitStep> steps;
  if (pre_tokenizer.is_null()) return steps;
  for_each_component(pre_tokenizer, {"pre-tokenizer", "pretokenizers"}, where, [&](const Json& part) {
    if (steps.size() == most_steps) fail("{}: the pre-tokenizer has more than {} steps", where, most_steps);
    steps.push_back(step_of(part, where));
  });
  return steps;
}

/// Throws Error for a Metaspace that sees bytes spelled.
///
/// For tokenizers the piece that a text begins with is one whose first character was the text's first before anything
/// changed: there may be none, or several. Throws Error for steps with `first_only` where it may not be the one that
/// Splitter takes.
void check_metaspaces(const std::vector<SplitStep>& steps, const TokenizerData& data, std::string_view where) {
  bool lost = false;    // whether the first character may have gone
  bool shared = false;  // whether several characters may be in its place, which a cut would part
  for (const RewriteStep& step : data.rewriting) {
    lost = lost || (!step.pattern.empty() && (!is_one_character(step.pattern) || step.content.empty()));
    shared = shared || step.pattern.empty() || !is_one_character(step.content);
  }
  bool spelled = false;  // in the byte-level alphabet, which has no mark for spaces
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (spelled && !steps[i].space_mark.empty())
      fail("{}: a \"Metaspace\" behind \"ByteLevel\" is not supported", where);
    spelled = spelled || steps[i].byte_level;
    const bool first = steps[i].prefix_space && steps[i].first_only;
    if (first && (lost || (shared && i > 0)))
      fail(
          "{}: \"prepend_scheme\" \"first\" of a \"Metaspace\" is not supported behind steps that take away a text's "
          "beginning, or put something there and then cut",
          where);
    shared = shared || steps[i].prefix_space;
  }
}

SortedJson json_of(const SplitStep& step) {
  if (step.byte_level)
    return {{"type", "ByteLevel"},
            {"add_prefix_space", step.prefix_space},
            {"trim_offsets", true},
            {"use_regex", !step.pattern.empty()}};
  if (!step.space_mark.empty())
    return {{"type", "Metaspace"},
            {"replacement", step.space_mark},
            {"prepend_scheme", !step.prefix_space ? "never"
                               : step.first_only  ? "first"
                                                  : "always"},
            {"split", !step.pattern.empty()}};
  if (step.pattern == R"(\p{N})") return {{"type", "Digits"}, {"individual_digits", true}};
  return {{"type", "Split"},
          {"pattern", {{"Regex", step.pattern}}},
          {"behavior", name_of(step.behaviour)},
          {"invert", step.invert}};
}

}  // namespace

bool has_byte_level(const Json& pre_tokenizer) {
  if (!pre_tokenizer.is_object()) return false;
  if (pre_tokenizer.value("type", Json()) == "ByteLevel") return true;
  const auto list = pre_tokenizer.find("pretokenizers");
  return list != pre_tokenizer.end() && list->is_array() && std::any_of(list->begin(), list->end(), has_byte_level);
}

SplitStep metaspace_step(const Json& part, std::string_view where) {
  const auto mark = get<std::string>(part, "replacement", where);
  if (!is_one_character(mark))
    fail("{}: the \"replacement\" of a \"Metaspace\" is {}; it must be one character", where, in_quotes(mark));
  const auto scheme = get_or<std::string>(part, "prepend_scheme", "always", where);
  if (scheme != "first" && scheme != "always" && scheme != "never")
    fail("{}: the \"prepend_scheme\" of a \"Metaspace\" is {}; known: first, always, never", where, in_quotes(scheme));
  return {.pattern = get_or(part, "split", true, where) ? escaped(mark) : "",
          .behaviour = SplitBehaviour::merged_with_next,
          .prefix_space = scheme != "never" && get_or(part, "add_prefix_space", true, where),
          .first_only = scheme == "first",
          .space_mark = mark};
}

void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, std::string_view where) {
  std::vector<SplitStep> steps = read_steps(pre_tokenizer, where);
  int byte_levels = 0;
  for (const SplitStep& step : steps) byte_levels += step.byte_level ? 1 : 0;
  if (byte_levels != (data.characters ? 0 : 1))
    fail(
        "{}: {} steps of the pre-tokenizer are \"ByteLevel\"; only byte-level BPE, which has one, and BPE with byte "
        "fallback, which has none, are supported",
        where, byte_levels);
  check_metaspaces(steps, data, where);
  for (const char* name : {"gpt2", "smollm", "llama3", "qwen2"}) {
    if (steps == steps_of(name)) {
      data.pre_tokenizer = name;
      return;
    }
  }
  // A Split by GPT-2's expression is what ByteLevel does by itself.
  if (steps == std::vector{isolating(gpt2_pattern), bytes()}) {
    data.pre_tokenizer = "gpt2";
    return;
  }
  data.pre_tokenizer.clear();
  data.split_steps = std::move(steps);
}

SortedJson pre_tokenizer_json(const TokenizerData& data) {
  const std::vector<SplitStep> steps = data.pre_tokenizer.empty() ? data.split_steps : steps_of(data.pre_tokenizer);
  if (steps.empty()) return {};
  if (steps.size() == 1) return json_of(steps.front());
  SortedJson list = SortedJson::array();
  for (const SplitStep& step : steps) list.push_back(json_of(step));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(list)}};
}

}  // namespace layerboost
