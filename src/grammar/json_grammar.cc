#include "grammar/json_grammar.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/utf8.h"
#include "grammar/code_points.h"
#include "grammar/number_grammar.h"

namespace layerboost {
namespace {

constexpr int most_spaces = 32, most_tabs = 8;  // of indentation

const CodePoints raw_in_strings = {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, last_code_point}};

int hex_digits(Grammar& grammar, int from, int count) {
  for (int i = 0; i < count; ++i) {
    const int to = grammar.add_node();
    grammar.edge(from, '0', '9', to);
    grammar.edge(from, 'a', 'f', to);
    grammar.edge(from, 'A', 'F', to);
    from = to;
  }
  return from;
}

/// One of `bytes`.
int one_byte_of(Grammar& grammar, int from, std::string_view bytes) {
  const int to = grammar.add_node();
  for (const char c : bytes) grammar.edge(from, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), to);
  return to;
}

/// The four digits of \u: a character, or half of one, of which the other half must follow.
int unicode_escape(Grammar& grammar, int from) {
  const int to = hex_digits(grammar, one_byte_of(grammar, from, "0123456789abcefABCEF"), 3);
  const int d = one_byte_of(grammar, from, "dD");
  grammar.jump(hex_digits(grammar, one_byte_of(grammar, d, "01234567"), 2), to);
  const int high = hex_digits(grammar, one_byte_of(grammar, d, "89abAB"), 2);
  const int low = one_byte_of(grammar, grammar.bytes(high, "\\u"), "dD");
  grammar.jump(hex_digits(grammar, one_byte_of(grammar, low, "cdefCDEF"), 2), to);
  return to;
}

}  // namespace

int JsonGrammar::rule(int& known, int (JsonGrammar::*write)(int)) {
  if (known >= 0) return known;
  known = grammar_.add_rule();
  grammar_.end((this->*write)(grammar_.first(known)));
  return known;
}

int JsonGrammar::space(int from) { return grammar_.call(from, rule(space_, &JsonGrammar::write_space)); }

int JsonGrammar::write_space(int from) {
  const int to = grammar_.add_node();
  grammar_.jump(from, to);
  grammar_.edge(from, ' ', ' ', to);
  const int line = grammar_.edge(from, '\n', '\n');
  for (const auto& [byte, most] : {std::pair(' ', most_spaces), std::pair('\t', most_tabs)}) {
    int node = line;
    grammar_.jump(node, to);
    for (int i = 0; i < most; ++i) {
      node = grammar_.bytes(node, std::string_view(&byte, 1));
      grammar_.jump(node, to);
    }
  }
  return to;
}

int JsonGrammar::write_character(int from) {
  const int to = grammar_.add_node();
  grammar_.jump(write_raw_character(from), to);
  const int escape = grammar_.edge(from, '\\', '\\');
  grammar_.jump(one_byte_of(grammar_, escape, "\"\\/bfnrt"), to);
  grammar_.jump(unicode_escape(grammar_, grammar_.edge(escape, 'u', 'u')), to);
  return to;
}

int JsonGrammar::write_raw_character(int from) {
  const int to = grammar_.add_node();
  spell(grammar_, from, raw_in_strings, to);
  return to;
}

int JsonGrammar::string(int from, const StringBounds& bounds) {
  const int character = rule(character_, &JsonGrammar::write_character);
  int node = grammar_.edge(from, '"', '"');
  const int to = grammar_.add_node();
  const bool endless = bounds.most == Grammar::no_limit;
  const int counted = endless ? bounds.least : bounds.most;
  for (int i = 0; i < counted; ++i) {
    if (i >= bounds.least) grammar_.edge(node, '"', '"', to);
    node = grammar_.call(node, character);
  }
  if (endless) grammar_.call(node, character, node);
  if (bounds.least <= bounds.most) grammar_.edge(node, '"', '"', to);
  return to;
}

int JsonGrammar::write_wide_character(int from) {
  const int to = grammar_.add_node();
  spell(grammar_, from, {{0x80, last_code_point}}, to);
  return to;
}

int JsonGrammar::other_key(int from, const std::vector<std::string>& names) {
  const int character = rule(raw_character_, &JsonGrammar::write_raw_character);
  const int wide = rule(wide_character_, &JsonGrammar::write_wide_character);
  const int other = grammar_.add_node(), to = grammar_.add_node();
  grammar_.call(other, character, other);
  grammar_.edge(other, '"', '"', to);
  // A tree of the names' characters: any other character leaves it for good.
  struct Inner {
    int node;
    std::map<char32_t, std::size_t> next = {};
    bool is_name = false;
  };
  std::vector<Inner> tree = {{grammar_.edge(from, '"', '"')}};
  for (const std::string& name : names) {
    std::size_t at = 0;
    for (std::string_view rest = name; !rest.empty();) {
      const Utf8Char c = decode_utf8(rest);
      rest.remove_prefix(c.length);
      const auto [found, is_new] = tree[at].next.try_emplace(c.code_point, tree.size());
      at = found->second;
      if (is_new) tree.push_back({grammar_.add_node()});
    }
    tree[at].is_name = true;
  }
  for (const Inner& inner : tree) {
    if (!inner.is_name) grammar_.edge(inner.node, '"', '"', to);
    CodePoints on;
    for (const auto& [c, next] : inner.next) {
      on.emplace_back(c, c);
      spell(grammar_, inner.node, common({{c, c}}, raw_in_strings), tree[next].node);
    }
    const CodePoints left = common(all_but(united(on)), raw_in_strings);
    const bool all_wide = on.empty() || on.back().first < 0x80;
    spell(grammar_, inner.node, all_wide ? common(left, {{0, 0x7F}}) : left, other);
    if (all_wide) grammar_.call(inner.node, wide, other);
  }
  return to;
}

int JsonGrammar::value(int from) { return grammar_.call(from, rule(value_, &JsonGrammar::write_value)); }

int JsonGrammar::object(int from) {
  return list(from, '{', rule(member_, &JsonGrammar::write_member), 0, Grammar::no_limit, '}');
}

int JsonGrammar::write_member(int from) {
  const int colon = grammar_.edge(string(from), ':', ':');
  return value(space(colon));
}

int JsonGrammar::write_value(int from) {
  const int to = grammar_.add_node();
  for (const char* const word : {"null", "true", "false"}) grammar_.jump(grammar_.bytes(from, word), to);
  grammar_.jump(string(from), to);
  grammar_.jump(add_number(grammar_, from, {}), to);
  grammar_.jump(object(from), to);
  grammar_.jump(list(from, '[', value_, 0, Grammar::no_limit, ']'), to);
  return to;
}

int JsonGrammar::list(int from, char open, int rule, int least, int most, char close) {
  const auto byte = [](char c) { return static_cast<std::uint8_t>(c); };
  const int begin = grammar_.edge(from, byte(open), byte(open));
  const int to = grammar_.add_node();
  const auto close_after = [&](int node) { grammar_.edge(space(node), byte(close), byte(close), to); };
  if (least == 0) close_after(begin);
  if (most == 0) return to;
  int node = grammar_.call(space(begin), rule);
  const auto again = [&](int after) { return space(grammar_.edge(after, ',', ',')); };
  const int counted = most == Grammar::no_limit ? std::max(least, 1) : most;
  for (int i = 1; i < counted; ++i) {
    if (i >= least) close_after(node);
    node = grammar_.call(again(node), rule);
  }
  if (counted >= least) close_after(node);
  if (most == Grammar::no_limit) grammar_.call(again(node), rule, node);
  return to;
}

int JsonGrammar::literal(int from, const Json& json) {
  if (!json.is_structured()) return grammar_.bytes(from, json.dump());
  const bool is_object = json.is_object();
  int node = grammar_.bytes(from, is_object ? "{" : "[");
  bool first = true;
  for (const auto& [key, inside] : json.items()) {
    if (!std::exchange(first, false)) node = grammar_.bytes(node, ",");
    node = space(node);
    if (is_object) node = space(grammar_.bytes(node, Json(key).dump() + ":"));
    node = literal(node, inside);
  }
  return grammar_.bytes(space(node), is_object ? "}" : "]");
}

}  // namespace layerboost
