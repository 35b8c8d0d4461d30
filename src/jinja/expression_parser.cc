// Operators of expressions, by how tightly they bind; what they stand between is in jinja_operand_parser.cc.
#include <fmt/format.h>

#include <algorithm>

#include "jinja/expression_nodes.h"

namespace layerboost::jinja {

namespace {

using TokenKind = Token::Kind;

constexpr int max_nesting = 100;
}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > max_nesting) {
    --parser_.nesting_;
    throw SyntaxError(parser_.token().line, fmt::format("nested deeper than {}", max_nesting));
  }
}

Token ExpressionParser::take() {
  Token taken = token();
  if (taken.kind != TokenKind::end) ++at_;
  return taken;
}

bool ExpressionParser::at_name(std::string_view name) const {
  return token().kind == TokenKind::name && token().text == name;
}

bool ExpressionParser::skip_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  ++at_;
  return true;
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  ++at_;
  return true;
}

void ExpressionParser::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) unexpected(fmt::format("\"{}\"", symbol));
}

void ExpressionParser::expect_name(std::string_view name) {
  if (!skip_name(name)) unexpected(fmt::format("\"{}\"", name));
}

std::string ExpressionParser::take_name() {
  if (token().kind != TokenKind::name) unexpected("a name");
  return take().text;
}

void ExpressionParser::unexpected(std::string_view wanted) const {
  const TokenKind kind = token().kind;
  const std::string found = kind == TokenKind::end                                          ? "the end of the template"
                            : kind == TokenKind::output_end || kind == TokenKind::block_end ? "the end of the tag"
                            : kind == TokenKind::data                                       ? "text"
                            : kind == TokenKind::output_begin                               ? "\"{{\""
                            : kind == TokenKind::block_begin                                ? "\"{%\""
                                                             : fmt::format("\"{}\"", token().text.substr(0, 40));
  throw SyntaxError(token().line, fmt::format("expected {}, found {}", wanted, found));
}

Expr ExpressionParser::parse_tuple(bool conditional) {
  const int line = token().line;
  Expr first = parse_expression(conditional);
  if (!at_symbol(",")) return first;
  int highest = height_of(first);
  ListDisplay list{{}, Form::tuple};
  list.items.push_back(std::move(first));
  while (skip_symbol(",")) {
    const TokenKind kind = token().kind;
    if (kind == TokenKind::block_end || kind == TokenKind::output_end || at_symbol(")") || at_name("in")) break;
    list.items.push_back(parse_expression(conditional));
    highest = std::max(highest, height_of(list.items.back()));
  }
  return make(line, std::move(list), highest);
}

Expr ExpressionParser::parse_expression(bool conditional) {
  const Nesting nesting(*this);
  Expr value = parse_or();
  while (conditional && at_name("if")) {
    const int line = take().line;
    Conditional node{parse_or(), std::move(value), nullptr};
    if (skip_name("else")) node.otherwise = parse_expression();
    const int highest = std::max({height_of(node.test), height_of(node.then), height_of(node.otherwise)});
    value = make(line, std::move(node), highest);
  }
  return value;
}

Expr ExpressionParser::parse_or() { return parse_chain("or", &ExpressionParser::parse_and); }

Expr ExpressionParser::parse_and() { return parse_chain("and", &ExpressionParser::parse_not); }

Expr ExpressionParser::parse_chain(const char* word, Expr (ExpressionParser::*operand)()) {
  Expr left = (this->*operand)();
  while (at_name(word)) {
    const int line = take().line;
    Expr right = (this->*operand)();
    const int highest = std::max(height_of(left), height_of(right));
    left = make(line, Binary{word, std::move(left), std::move(right)}, highest);
  }
  return left;
}

Expr ExpressionParser::parse_not() {
  if (!at_name("not")) return parse_comparison();
  const Nesting nesting(*this);
  const int line = take().line;
  Expr operand = parse_not();
  const int highest = height_of(operand);
  return make(line, Unary{"not", std::move(operand)}, highest);
}

Expr ExpressionParser::parse_comparison() {
  const int line = token().line;
  Comparison node{parse_sum(), {}};
  int highest = height_of(node.first);
  while (true) {
    std::string op;
    for (const std::string_view symbol : {"==", "!=", "<", "<=", ">", ">="})
      if (at_symbol(symbol)) op = symbol;
    if (!op.empty()) {
      take();
    } else if (skip_name("in")) {
      op = "in";
    } else if (at_name("not") && tokens_[at_ + 1].kind == TokenKind::name && tokens_[at_ + 1].text == "in") {
      at_ += 2;
      op = "not in";
    } else {
      break;
    }
    node.rest.emplace_back(std::move(op), parse_sum());
    highest = std::max(highest, height_of(node.rest.back().second));
  }
  if (node.rest.empty()) return std::move(node.first);
  return make(line, std::move(node), highest);
}

Expr ExpressionParser::parse_binary(std::initializer_list<std::string_view> symbols,
                                    Expr (ExpressionParser::*operand)()) {
  Expr left = (this->*operand)();
  while (std::any_of(symbols.begin(), symbols.end(), [&](std::string_view symbol) { return at_symbol(symbol); })) {
    const Token op = take();
    Expr right = (this->*operand)();
    const int highest = std::max(height_of(left), height_of(right));
    left = make(op.line, Binary{op.text, std::move(left), std::move(right)}, highest);
  }
  return left;
}

Expr ExpressionParser::parse_sum() { return parse_binary({"+", "-"}, &ExpressionParser::parse_concatenation); }

Expr ExpressionParser::parse_concatenation() {
  Expr first = parse_product();
  if (!at_symbol("~")) return first;
  const int line = token().line;
  int highest = height_of(first);
  Concatenation node;
  node.parts.push_back(std::move(first));
  while (skip_symbol("~")) {
    node.parts.push_back(parse_product());
    highest = std::max(highest, height_of(node.parts.back()));
  }
  return make(line, std::move(node), highest);
}

Expr ExpressionParser::parse_product() { return parse_binary({"*", "/", "//", "%"}, &ExpressionParser::parse_power); }

Expr ExpressionParser::parse_power() {
  Expr left = parse_unary(true);
  while (at_symbol("**")) {
    const int line = take().line;
    Expr right = parse_unary(true);
    const int highest = std::max(height_of(left), height_of(right));
    left = make(line, Binary{"**", std::move(left), std::move(right)}, highest);
  }
  return left;
}

Expr ExpressionParser::parse_unary(bool with_filters) {
  const Nesting nesting(*this);
  Expr value;
  if (at_symbol("-") || at_symbol("+")) {
    const Token op = take();
    Expr operand = parse_unary(false);
    const int highest = height_of(operand);
    value = make(op.line, Unary{op.text, std::move(operand)}, highest);
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

}  // namespace layerboost::jinja
