// What it takes to say which tokens may come next, by forms that people ask for: microseconds for each token of texts
// that are drawn by the form, each text with states and masks of its own, as each request has them.
//   masks_bench [MODEL [TEXTS]]        default: smollm2-135m, 20 texts
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "artifact/model_store.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "grammar/constraint.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex_grammar.h"
#include "model/checkpoint.h"

namespace layerboost {
namespace {

constexpr int most_tokens = 128;  // of a text

struct Form {
  const char* name;
  std::function<int(Grammar&, int)> add;
};

Form schema(const char* name, const char* text) {
  return {name, [text](Grammar& grammar, int from) { return add_schema(grammar, from, Json::parse(text)); }};
}

Form regex(const char* name, const char* text) {
  return {name, [text](Grammar& grammar, int from) { return add_regex(grammar, from, text); }};
}

Form gbnf(const char* name, const char* text) {
  return {name, [text](Grammar& grammar, int from) { return add_gbnf(grammar, from, text); }};
}

std::vector<Form> forms() {
  return {
      schema("schema, any JSON", R"({"type": "object"})"),
      schema("schema, maxLength 60",
             R"({"type": "array", "minItems": 50, "items": {"type": "object", "required": ["name", "note"],
                 "properties": {"name": {"type": "string", "minLength": 3, "maxLength": 30},
                                "note": {"type": "string", "maxLength": 60}}}})"),
      schema("schema, pattern",
             R"({"type": "array", "minItems": 50, "items": {"type": "string", "pattern": "^[A-Za-z ]{10,40}$"}})"),
      schema("schema, deep",
             R"({"$ref": "#/$defs/part", "$defs": {"part": {"type": "object", "required": ["id", "kind", "parts"],
                 "properties": {"id": {"type": "integer", "minimum": 0, "maximum": 99999},
                                "kind": {"enum": ["group", "text", "picture", "table"]},
                                "title": {"type": "string", "maxLength": 40}, "price": {"type": "number"},
                                "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}}}}}})"),
      regex("regex [A-Za-z ,.]{20,60}", R"(([A-Za-z ,.]{20,60}\n){50})"),
      regex("regex, names and dates", R"(([A-Z][a-z]{1,11} [0-9]{4}-[0-9]{2}-[0-9]{2}\n){100})"),
      regex("regex (\\w+[ ,.]){3,50}", R"((\w+[ ,.]){3,50})"),
      regex("regex .{1,400}", R"(.{1,400})"),
      gbnf("GBNF [^\\n]{20,60}", "root ::= line{100}\nline ::= \"- \" [^\\n]{20,60} \"\\n\""),
      gbnf("GBNF \"[a-z ]{1,40}\"", "root ::= (\"\\\"\" [a-z ]{1,40} \"\\\"\\n\"){100}"),
      gbnf("GBNF, JSON",
           "root ::= \"[\" item (\",\" item){99} \"]\"\nitem ::= object | string\n"
           "object ::= \"{\" string \":\" string (\",\" string \":\" string)* \"}\"\n"
           "string ::= \"\\\"\" char{0,40} \"\\\"\"\n"
           "char ::= [^\"\\\\\\x7F\\x00-\\x1F] | [\\\\] ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4})"),
  };
}

/// One of the tokens in `mask`, rather one with a small id: common ones have them. -1: there is none.
TokenId draw(const TokenMask& mask, Random& random) {
  const int count = std::accumulate(mask.begin(), mask.end(), 0,
                                    [](int sum, std::uint64_t word) { return sum + std::popcount(word); });
  const double of_all = random.uniform();
  int left = static_cast<int>(of_all * of_all * of_all * count);
  for (std::size_t word = 0; word < mask.size(); ++word) {
    std::uint64_t bits = mask[word];
    if (left >= std::popcount(bits)) {
      left -= std::popcount(bits);
      continue;
    }
    for (; left > 0; --left) bits &= bits - 1;
    return static_cast<TokenId>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
  }
  return -1;
}

/// Seconds of this process's work, whatever else the machine does.
double work() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()) * 1e6;
}

double at(std::vector<double>& values, double part) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))] * 1e6;
}

void measure(const Form& form, const std::shared_ptr<const Vocabulary>& vocabulary, int texts) {
  std::vector<double> masks, steps, begins;
  Random random(1);
  for (int i = 0; i < texts; ++i) {
    const double asked = work();
    Grammar grammar;
    grammar.end(form.add(grammar, grammar.first(0)));
    grammar.finish();
    Guide guide(std::make_shared<Constraint>(std::move(grammar), vocabulary));
    begins.push_back(work() - asked);
    for (int token = 0; token < most_tokens && !guide.must_end(); ++token) {
      const double before = work();
      const auto mask = guide.allowed();
      masks.push_back(work() - before);
      const TokenId next = mask == nullptr ? -1 : draw(*mask, random);
      if (next < 0) break;
      const double chosen = work();
      guide.see(next);
      steps.push_back(work() - chosen);
    }
  }
  fmt::print("| {} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} |\n", form.name, mean(masks), at(masks, 0.5),
             at(masks, 0.95), mean(steps), mean(begins));
  std::fflush(stdout);
}

void measure_all(const std::string& model, int texts) {
  const Tokenizer tokenizer(open_checkpoint(find_model(model))->tokenizer());
  const double begin = work();
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer, tokenizer.size());
  fmt::print("{}: {} tokens, read in {:.1f} ms; microseconds\n\n", model, tokenizer.size(), (work() - begin) * 1e3);
  fmt::print("| form | mask, mean | median | 95 % | token seen | form read |\n|---|---|---|---|---|---|\n");
  for (const Form& form : forms()) measure(form, vocabulary, texts);
}

}  // namespace
}  // namespace layerboost

int main(int argc, char** argv) {
  try {
    layerboost::measure_all(argc > 1 ? argv[1] : "smollm2-135m", argc > 2 ? std::atoi(argv[2]) : 20);
  } catch (const layerboost::Error& error) {
    layerboost::note("{}", error.what());
    return 2;
  }
  return 0;
}
