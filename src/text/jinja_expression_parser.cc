#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "text/jinja_parser.h"

namespace layerboost::jinja {

namespace {

using TokenKind = Token::Kind;

constexpr int max_nesting = 100;
constexpr int max_height = 300;

int height_of(const Expr& expression) { return expression ? expression->height : 0; }

int height_of(const CallArguments& arguments) {
  int highest = 0;
  for (const Expr& argument : arguments.positional) highest = std::max(highest, height_of(argument));
  for (const auto& [name, argument] : arguments.named) highest = std::max(highest, height_of(argument));
  return highest;
}

Value integer_value(const Token& token) {
  std::int64_t value = 0;
  const char* const end = token.text.data() + token.text.size();
  if (std::from_chars(token.text.data(), end, value).ptr != end || value < 0)
    throw SyntaxError(token.line, fmt::format("the number {} is too large", token.text));
  return Value::integer(value);
}

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

template <typename Node>
Expr ExpressionParser::make(int line, Node node, int highest_child) {
  if (highest_child >= max_height)
    throw SyntaxError(line, fmt::format("an expression of more than {} levels", max_height));
  return std::make_unique<const Expression>(Expression{line, highest_child + 1, std::move(node)});
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

Expr ExpressionParser::parse_or() {
  Expr left = parse_and();
  while (at_name("or")) {
    const int line = take().line;
    Expr right = parse_and();
    const int highest = std::max(height_of(left), height_of(right));
    left = make(line, Binary{"or", std::move(left), std::move(right)}, highest);
  }
  return left;
}

Expr ExpressionParser::parse_and() {
  Expr left = parse_not();
  while (at_name("and")) {
    const int line = take().line;
    Expr right = parse_not();
    const int highest = std::max(height_of(left), height_of(right));
    left = make(line, Binary{"and", std::move(left), std::move(right)}, highest);
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

Expr ExpressionParser::parse_primary() {
  if (at_symbol("(")) return parse_parentheses();
  if (at_symbol("[")) return parse_list();
  if (at_symbol("{")) return parse_dict();
  const TokenKind kind = token().kind;
  if (kind != TokenKind::name && kind != TokenKind::string && kind != TokenKind::integer && kind != TokenKind::real)
    unexpected("an expression");
  const Token first = take();
  switch (kind) {
    case TokenKind::string: {
      std::string text = first.text;  // neighbours are one string
      while (token().kind == TokenKind::string) text += take().text;
      return make(first.line, Literal{Value::text(std::move(text))}, 0);
    }
    case TokenKind::integer:
      return make(first.line, Literal{integer_value(first)}, 0);
    case TokenKind::real:
      return make(first.line, Literal{Value::real(std::strtod(first.text.c_str(), nullptr))}, 0);
    default:
      break;
  }
  if (first.text == "true" || first.text == "True") return make(first.line, Literal{Value::boolean(true)}, 0);
  if (first.text == "false" || first.text == "False") return make(first.line, Literal{Value::boolean(false)}, 0);
  if (first.text == "none" || first.text == "None") return make(first.line, Literal{Value::none()}, 0);
  return make(first.line, Name{first.text}, 0);
}

Expr ExpressionParser::parse_parentheses() {
  const int line = take().line;
  if (skip_symbol(")")) return make(line, ListDisplay{{}, Form::tuple}, 0);
  Expr value = parse_tuple();
  expect_symbol(")");
  return value;
}

Expr ExpressionParser::parse_list() {
  const int line = take().line;
  ListDisplay node;
  int highest = 0;
  while (!at_symbol("]")) {
    if (!node.items.empty()) {
      expect_symbol(",");
      if (at_symbol("]")) break;
    }
    node.items.push_back(parse_expression());
    highest = std::max(highest, height_of(node.items.back()));
  }
  expect_symbol("]");
  return make(line, std::move(node), highest);
}

Expr ExpressionParser::parse_dict() {
  const int line = take().line;
  DictDisplay node;
  int highest = 0;
  while (!at_symbol("}")) {
    if (!node.items.empty()) {
      expect_symbol(",");
      if (at_symbol("}")) break;
    }
    Expr key = parse_expression();
    expect_symbol(":");
    Expr value = parse_expression();
    highest = std::max({highest, height_of(key), height_of(value)});
    node.items.emplace_back(std::move(key), std::move(value));
  }
  expect_symbol("}");
  return make(line, std::move(node), highest);
}

Expr ExpressionParser::parse_postfix(Expr value) {
  while (true) {
    if (at_symbol("."))
      value = parse_after_dot(std::move(value));
    else if (at_symbol("["))
      value = parse_subscript(std::move(value));
    else if (at_symbol("("))
      value = make_call(token().line, std::move(value), parse_call_arguments());
    else
      return value;
  }
}

Expr ExpressionParser::parse_after_dot(Expr value) {
  const int line = take().line;
  const int highest = height_of(value);
  if (token().kind == TokenKind::integer) {
    Expr index = make(line, Literal{integer_value(take())}, 0);
    return make(line, Subscript{std::move(value), std::move(index)}, highest);
  }
  return make(line, Attribute{std::move(value), take_name()}, highest);
}

Expr ExpressionParser::parse_subscript(Expr value) {
  const int line = take().line;
  const auto part = [&]() -> Expr { return at_symbol(":") || at_symbol("]") ? nullptr : parse_expression(); };
  Expr start = part();
  if (!at_symbol(":")) {
    if (!start) unexpected("an expression");
    expect_symbol("]");
    const int highest = std::max(height_of(value), height_of(start));
    return make(line, Subscript{std::move(value), std::move(start)}, highest);
  }
  take();
  Expr stop = part();
  Expr step = skip_symbol(":") ? part() : nullptr;
  expect_symbol("]");
  const int highest = std::max({height_of(value), height_of(start), height_of(stop), height_of(step)});
  return make(line, Slice{std::move(value), std::move(start), std::move(stop), std::move(step)}, highest);
}

CallArguments ExpressionParser::parse_call_arguments() {
  expect_symbol("(");
  CallArguments arguments;
  while (!at_symbol(")")) {
    if (!arguments.positional.empty() || !arguments.named.empty()) {
      expect_symbol(",");
      if (at_symbol(")")) break;
    }
    if (at_symbol("*") || at_symbol("**")) throw SyntaxError(token().line, "arguments by * and ** are not supported");
    if (token().kind == TokenKind::name && at_symbol(tokens_[at_ + 1], "=")) {
      std::string name = take_name();
      take();
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!arguments.named.empty()) unexpected("an argument with a name");
      arguments.positional.push_back(parse_expression());
    }
  }
  expect_symbol(")");
  return arguments;
}

Expr ExpressionParser::make_call(int line, Expr callee, CallArguments arguments) {
  const int highest = std::max(height_of(callee), height_of(arguments));
  return make(line, Call{std::move(callee), std::move(arguments)}, highest);
}

Expr ExpressionParser::parse_filters_and_tests(Expr value) {
  while (true) {
    if (skip_symbol("|"))
      value = parse_filter(std::move(value));
    else if (at_name("is"))
      value = parse_test(std::move(value));
    else if (at_symbol("("))
      value = make_call(token().line, std::move(value), parse_call_arguments());
    else
      return value;
  }
}

Expr ExpressionParser::parse_filters(Expr value) {
  if (!value) value = parse_filter(nullptr);
  while (skip_symbol("|")) value = parse_filter(std::move(value));
  return value;
}

Expr ExpressionParser::parse_filter(Expr value) {
  const int line = token().line;
  Filter node{std::move(value), take_name(), {}};
  while (skip_symbol(".")) node.name += "." + take_name();
  if (at_symbol("(")) node.arguments = parse_call_arguments();
  const int highest = std::max(height_of(node.value), height_of(node.arguments));
  return make(line, std::move(node), highest);
}

Expr ExpressionParser::parse_test(Expr value) {
  const int line = take().line;
  const bool negated = skip_name("not");
  Test node{std::move(value), take_name(), {}};
  const TokenKind kind = token().kind;
  if (at_symbol("(")) {
    node.arguments = parse_call_arguments();
  } else if (kind == TokenKind::string || kind == TokenKind::integer || kind == TokenKind::real || at_symbol("[") ||
             at_symbol("{") ||
             (kind == TokenKind::name && !at_name("else") && !at_name("or") && !at_name("and") && !at_name("if") &&
              !at_name("is") && !at_name("in") && !at_name("not"))) {
    node.arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  const int highest = std::max(height_of(node.value), height_of(node.arguments));
  Expr test = make(line, std::move(node), highest);
  if (!negated) return test;
  return make(line, Unary{"not", std::move(test)}, highest + 1);
}

}  // namespace layerboost::jinja
