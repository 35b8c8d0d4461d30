// A JSON Schema, a grammar in GBNF or a regular expression, and after a zero byte what is chosen of it: it becomes a
// grammar or is refused with an Error, and what is written by the grammar of a schema is JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "grammar/automaton.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex_grammar.h"

namespace layerboost {
namespace {

/// Writes by the grammar, each byte the one of those that may come next that `choices` say; the first without them.
/// nullopt: the text didn't come to an end.
std::optional<std::string> write(Grammar grammar, std::string_view choices) {
  grammar.finish();
  Automaton automaton(std::move(grammar));
  std::string text;
  int state = automaton.start();
  while (state >= 0 && text.size() < 300) {
    const bool chosen = text.size() < choices.size();
    const auto choice = static_cast<std::uint8_t>(chosen ? choices[text.size()] : 0);
    if (automaton.accepts(state) && (automaton.is_last(state) || !chosen || choice == 0xFF)) return text;
    std::vector<std::uint8_t> may_follow;
    for (int byte = 0; byte < 256; ++byte)
      if (automaton.next(state, static_cast<std::uint8_t>(byte)) != Automaton::dead)
        may_follow.push_back(static_cast<std::uint8_t>(byte));
    LB_CHECK(!may_follow.empty());  // ways that come to no end were taken away
    const std::uint8_t byte = may_follow[choice % may_follow.size()];
    state = automaton.next(state, byte);
    text += static_cast<char>(byte);
  }
  return std::nullopt;
}

void write_by(std::string_view form, std::string_view choices) {
  const SortedJson json = json_or_null(form);
  try {
    Grammar grammar;
    if (json.is_object() || json.is_boolean()) {
      grammar.end(add_schema(grammar, grammar.first(0), Json::parse(form)));
      if (const auto text = write(std::move(grammar), choices)) LB_CHECK(Json::accept(*text));
    } else if (form.find("::=") != std::string_view::npos) {
      grammar.end(add_gbnf(grammar, grammar.first(0), form));
      (void)write(std::move(grammar), choices);
    } else {
      grammar.end(add_regex(grammar, grammar.first(0), form));
      (void)write(std::move(grammar), choices);
    }
  } catch (const Error&) {  // refused, as it should be
  }
}

}  // namespace
}  // namespace layerboost

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  layerboost::write_by(input.substr(0, end), input.substr(std::min(end + 1, size)));
  return 0;
}
