#include "grammar/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "grammar/grammar_for_tests.h"
#include "text/byte_alphabet.h"
#include "text/testing.h"

namespace layerboost {
namespace {

std::string times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

/// A tokenizer that has a token for each of `texts` and for each of their beginnings.
Tokenizer tokenizer_of(const std::vector<std::string>& texts) {
  std::vector<std::string> merges;
  std::map<std::string, bool> known;
  for (const std::string& text : texts) {
    std::string left(alphabet_char(static_cast<unsigned char>(text.front())));
    for (const char c : text.substr(1)) {
      const std::string right(alphabet_char(static_cast<unsigned char>(c)));
      if (!std::exchange(known[left + right], true)) merges.push_back(left + " " + right);
      left += right;
    }
  }
  return Tokenizer(small_tokenizer_data(std::move(merges)));
}

/// Words, characters in pieces, what is no UTF-8, line ends and quotes amid words, tokens longer than those counted.
const Tokenizer& tokens_of_all_kinds() {
  static const Tokenizer made = [] {
    std::vector<std::string> texts = {times(40, " "),
                                      times(34, "a") + "B",
                                      times(36, "-"),
                                      times(35, "\xC3\xA9"),
                                      "\xC3\xA9t\xC3\xA9",
                                      "a\xC3\xA9z",
                                      " \xE4\xB8\xAD\xE6\x96\x87x",
                                      "a\xE4\xB8",
                                      "\xB8\xAD",
                                      "\xADz",
                                      "\xF0\x9F\x98\x80!",
                                      "z\xF0\x9F",
                                      "\x9F\x98",
                                      "\xE2\x80\xA8k",
                                      "\xED\xA0\x80",
                                      "\xE0\x80",
                                      "\xC3z",
                                      "\xC3\xC3",
                                      "\xF4\x90",
                                      "a\xC0",
                                      "\n\nab",
                                      "ab\ncd",
                                      "b\"",
                                      "\", \"",
                                      "\":\"",
                                      "b\\n",
                                      "c\\u00e9",
                                      "a1b2",
                                      "x, y. z",
                                      " The",
                                      " 12 ab"};
    for (const char first : std::string(" ae")) {
      for (char c = 'a'; c <= 'z'; ++c)
        texts.push_back(first + std::string(1, c) + (c % 2 == 0 ? "mn" : c % 3 == 0 ? "op\n" : ""));
    }
    return tokenizer_of(texts);
  }();
  return made;
}

/// Expressions at random: classes, wide and narrow ones, counted in all ways.
class RandomExpression {
 public:
  explicit RandomExpression(std::uint64_t seed) : random_(seed) {}

  int any(int n) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(n))); }

  std::string make(int depth = 0) {
    std::string text;
    for (int i = 1 + any(3); i > 0; --i) text += item(depth) + count(depth);
    if (depth > 0 && any(3) == 0) text += "|" + item(2) + count(depth);
    return text;
  }

 private:
  std::string item(int depth) {
    static const std::vector<std::string> classes = {
        "[a-z]",    "[a-z ]",    "[A-Za-z ,.]",        "[^\\n]",     "[^\\n\"]",           "[^a]",
        "[a-cx-z]", "[0-9]",     "[\u00e0-\u00ffa-z]", "[^z\u4e2d]", "[\u4e00-\u9fa5 -~]", "[\\u0080-\\uffff]",
        "[ ]",      "[^\\u2028]"};
    static const std::vector<std::string> literals = {"a", "ab", " ", "\\n", "-", "\u4e2d", "\u00e9t"};
    if (depth < 2 && any(4) == 0) return "(" + make(depth + 1) + ")";
    const auto& from = any(3) == 0 ? literals : classes;
    return from[static_cast<std::size_t>(any(static_cast<int>(from.size())))];
  }

  /// Counts of counts are small ones.
  std::string count(int depth) {
    static const std::vector<std::string> counts = {"",      "",      "*",      "+",       "?",    "{0,3}",
                                                    "{2,5}", "{1,7}", "{4,40}", "{31,35}", "{60}", "{1,300}"};
    return counts[static_cast<std::size_t>(any(depth == 0 ? static_cast<int>(counts.size()) : 6))];
  }

  Random random_;
};

/// The tokens that may come after `text`, each tried by itself, in an order of its own: what `automaton` finds of one
/// byte has to hold of those that it takes for the same. Empty: there is too much to look at.
TokenMask mask_by_trying(const Vocabulary& vocabulary, Automaton& automaton, const std::string& text) {
  int state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
  TokenMask mask((static_cast<std::size_t>(vocabulary.size()) + 63) / 64);
  for (TokenId token = vocabulary.size() - 1; token >= 0; --token) {
    const int to = vocabulary.next(automaton, state, token);
    if (to == Automaton::too_much) return {};
    if (to >= 0) mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
  }
  return mask;
}

/// Writes texts of `grammar` at random, and looks at the mask before each of their tokens.
void expect_right_masks(const Grammar& grammar, RandomExpression& random, const std::string& about) {
  const Vocabulary vocabulary(tokens_of_all_kinds(), tokens_of_all_kinds().size());
  Automaton automaton(grammar, {.room = 5000}), other(grammar);  // it forgets states amid a walk
  std::string text;
  int state = automaton.start();
  const Automaton::Held held(automaton, {&state, 1});
  for (int i = 0; i < 20; ++i) {
    const TokenMask mask = vocabulary.allowed(automaton, state).mask, right = mask_by_trying(vocabulary, other, text);
    if (mask.empty() || right.empty()) return;
    ASSERT_EQ(mask, right) << about << " after " << text;
    std::vector<TokenId> allowed;
    for (TokenId token = 0; token < vocabulary.size(); ++token)
      if (is_in(mask, token)) allowed.push_back(token);
    if (allowed.empty()) return;
    const TokenId token = allowed[static_cast<std::size_t>(random.any(static_cast<int>(allowed.size())))];
    text += tokens_of_all_kinds().bytes(token);
    state = vocabulary.next(automaton, state, token);
  }
}

TEST(Vocabulary, MasksByExpressionsAreWhatEachTokenSays) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    RandomExpression random(seed);
    const std::string regex = random.make();
    expect_right_masks(test::regex_grammar(regex), random, regex);
    expect_right_masks(test::regex_grammar("\"" + regex + "\"", {.in_json = true}), random, "in JSON: " + regex);
  }
}

TEST(Vocabulary, MasksByGrammarsAndSchemasAreWhatEachTokenSays) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    RandomExpression random(seed);
    for (const char* const text :
         {"root ::= line{5}\nline ::= \"- \" [^\\n]{3,9} \"\\n\"", "root ::= (\"\\\"\" [a-z ]{1,40} \"\\\" \")+",
          "root ::= \"\\\"\" char{2,40} \"\\\"\"\nchar ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\n] | \"u\" hex{4})\n"
          "hex ::= [0-9a-f]",
          "root ::= word (\" \" word)*\nword ::= letter+ | letter{2} [0-9]+\nletter ::= [a-z] | [A-Z] | "
          "[\u00e0-\u00ff]",
          "root ::= tree\ntree ::= [a-zA-Z ]* (\"(\" tree \")\")?",
          "root ::= p+\np ::= \"a\" p \"b\" | \"m\" p \"n\" | \"-\" p \" \" | \" \" p | [c-lo-z]"})
      expect_right_masks(test::gbnf_grammar(text), random, text);
    for (const char* const schema :
         {"{}", R"({"type": "string", "minLength": 3, "maxLength": 40})", R"({"type": "string", "maxLength": 4})",
          R"({"anyOf": [{"type": "string", "maxLength": 2}, {"type": "string", "pattern": "^[a-z]{1,40}$"}]})",
          R"({"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "string", "maxLength": 9}})"})
      expect_right_masks(test::schema_grammar(Json::parse(schema)), random, schema);
  }
}

}  // namespace
}  // namespace layerboost
