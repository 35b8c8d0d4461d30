// What operators stand between: literals, names, brackets, and what follows these: attributes, calls, filters, tests.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "jinja/big_integer.h"
#include "jinja/expression_nodes.h"

namespace layerboost::jinja {

namespace {

using TokenKind = Token::Kind;

Value integer_value(const Token& token) {
  if (token.text.size() > max_digits)
    throw SyntaxError(token.line, fmt::format("an integer of more than {} digits", max_digits));
  return integer_of(token.text);
}

}  // namespace

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
  bool first = true;
  while (!at_symbol(")")) {
    if (!first) {
      expect_symbol(",");
      if (at_symbol(")")) break;
    }
    first = false;
    const int line = token().line;
    if (arguments.named_spread || (arguments.spread && at_symbol("*")))
      throw SyntaxError(line, "an argument after **, or a second one by *");
    if (skip_symbol("*")) {
      arguments.spread = parse_expression();
      continue;
    }
    if (skip_symbol("**")) {
      arguments.named_spread = parse_expression();
      continue;
    }
    if (token().kind == TokenKind::name && at_symbol(tokens_[at_ + 1], "=")) {
      std::string name = take_name();
      take();
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!arguments.named.empty() || arguments.spread) unexpected("an argument with a name");
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
