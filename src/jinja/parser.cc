#include "jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "jinja/visit.h"

namespace layerboost::jinja {

namespace {

using TokenKind = Token::Kind;

class StatementParser : ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body parse_all() {
    Body body = parse_body({});
    if (token().kind != TokenKind::end) unexpected("the end of the template");
    return body;
  }

 private:
  // Statements up to "{%" and one of `ends` (which stays: its name is the next token), or up to the end where there are
  // none.
  Body parse_body(std::initializer_list<std::string_view> ends) {
    const Nesting nesting(*this);
    Body body;
    while (token().kind != TokenKind::end) {
      const int line = token().line;
      if (token().kind == TokenKind::data) {
        body.push_back({line, Data{take().text}});
      } else if (token().kind == TokenKind::output_begin) {
        take();
        body.push_back({line, Output{parse_tuple()}});
        expect(TokenKind::output_end, "\"}}\"");
      } else {
        expect(TokenKind::block_begin, "a tag");
        if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return at_name(end); })) return body;
        body.push_back(parse_statement());
      }
    }
    if (ends.size() > 0) unexpected(fmt::format("{{% {} %}}", *(ends.end() - 1)));
    return body;
  }

  void expect(TokenKind kind, std::string_view wanted) {
    if (token().kind != kind) unexpected(wanted);
    take();
  }

  void end_tag() { expect(TokenKind::block_end, "\"%}\""); }

  // The body of a statement after its "%}", up to and with the tag `end`.
  Body parse_block(std::string_view end) {
    end_tag();
    Body body = parse_body({end});
    expect_name(end);
    end_tag();
    return body;
  }

  Statement parse_statement() {
    const Nesting nesting(*this);
    const Token keyword = token();
    const std::string name = take_name();
    const int line = keyword.line;
    if (name == "for") return {line, parse_for()};
    if (name == "if") return {line, parse_if()};
    if (name == "set") return parse_set(line);
    if (name == "macro") return {line, parse_macro()};
    if (name == "call") return {line, parse_call_block(line)};
    if (name == "filter") {
      FilterBlock node{parse_filters(nullptr), {}};
      node.body = parse_block("endfilter");
      return {line, std::move(node)};
    }
    if (name == "with") return {line, parse_with()};
    if (name == "generation") return {line, With{{}, parse_block("endgeneration")}};
    if (name == "autoescape") {
      Expr on = parse_expression();
      return {line, Autoescape{std::move(on), parse_block("endautoescape")}};
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) throw SyntaxError(line, fmt::format("\"{}\" outside of a loop", name));
      end_tag();
      if (name == "break") return {line, Break{}};
      return {line, Continue{}};
    }
    throw SyntaxError(line, fmt::format("unknown tag \"{}\"", name));
  }

  Target parse_target(bool attributes) {
    const Nesting nesting(*this);
    Target target = parse_single_target(attributes);
    if (!at_symbol(",")) return target;
    Target all;
    all.parts.push_back(std::move(target));
    while (skip_symbol(",")) {
      if (at_name("in") || at_symbol("=")) break;
      all.parts.push_back(parse_single_target(attributes));
    }
    return all;
  }

  Target parse_single_target(bool attributes) {
    if (skip_symbol("(")) {
      Target inner = parse_target(attributes);
      expect_symbol(")");
      return inner;
    }
    Target target;
    const int line = token().line;
    target.name = take_name();
    for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"})
      if (target.name == constant) throw SyntaxError(line, fmt::format("can't assign to \"{}\"", constant));
    if (attributes && skip_symbol(".")) target.attribute = take_name();
    return target;
  }

  For parse_for() {
    For node;
    node.target = parse_target(false);
    expect_name("in");
    node.items = parse_tuple(false);
    if (skip_name("if")) node.filter = parse_expression();
    if (at_name("recursive")) throw SyntaxError(token().line, "recursive loops are not supported");
    end_tag();
    ++loops_;
    node.body = parse_body({"else", "endfor"});
    --loops_;
    if (skip_name("else"))
      node.otherwise = parse_block("endfor");
    else
      close("endfor");
    return node;
  }

  void close(std::string_view end) {
    expect_name(end);
    end_tag();
  }

  If parse_if() {
    If node;
    while (true) {
      Expr test = parse_tuple(false);
      end_tag();
      Body body = parse_body({"elif", "else", "endif"});
      node.branches.emplace_back(std::move(test), std::move(body));
      if (skip_name("elif")) continue;
      if (skip_name("else"))
        node.otherwise = parse_block("endif");
      else
        close("endif");
      return node;
    }
  }

  Statement parse_set(int line) {
    Target target = parse_target(true);
    if (skip_symbol("=")) {
      Set node{std::move(target), parse_tuple()};
      end_tag();
      return {line, std::move(node)};
    }
    SetBlock node{std::move(target), nullptr, {}};
    if (skip_symbol("|")) node.filter = parse_filters(nullptr);
    node.body = parse_block("endset");
    return {line, std::move(node)};
  }

  std::vector<Parameter> parse_parameters() {
    std::vector<Parameter> parameters;
    expect_symbol("(");
    while (!at_symbol(")")) {
      if (!parameters.empty()) {
        expect_symbol(",");
        if (at_symbol(")")) break;
      }
      Parameter parameter{take_name(), nullptr};
      if (skip_symbol("=")) parameter.fallback = parse_expression();
      parameters.push_back(std::move(parameter));
    }
    expect_symbol(")");
    return parameters;
  }

  std::shared_ptr<const Macro> parse_macro() {
    Macro macro;
    macro.name = take_name();
    macro.parameters = parse_parameters();
    parse_function_body(macro, "endmacro");
    return std::make_shared<const Macro>(std::move(macro));
  }

  // A loop around a macro is not the macro's own.
  void parse_function_body(Macro& macro, std::string_view end) {
    const int outer = std::exchange(loops_, 0);
    macro.body = parse_block(end);
    loops_ = outer;
    macro.varargs = reads_name(macro.body, "varargs");
    macro.kwargs = reads_name(macro.body, "kwargs");
    macro.caller = reads_name(macro.body, "caller");
  }

  CallBlock parse_call_block(int line) {
    Macro caller;
    caller.name = "caller";
    if (at_symbol("(")) caller.parameters = parse_parameters();
    CallBlock node{parse_expression(), nullptr};
    if (!std::holds_alternative<Call>(node.call->node)) throw SyntaxError(line, "{% call %} without a call");
    parse_function_body(caller, "endcall");
    node.caller = std::make_shared<const Macro>(std::move(caller));
    return node;
  }

  With parse_with() {
    With node;
    while (token().kind != TokenKind::block_end) {
      if (!node.assignments.empty()) expect_symbol(",");
      Target target = parse_single_target(false);
      expect_symbol("=");
      node.assignments.emplace_back(std::move(target), parse_expression());
    }
    node.body = parse_block("endwith");
    return node;
  }

  int loops_ = 0;  // around the tag being read
};

}  // namespace

Body parse_template(std::string_view source) { return StatementParser(tokenize(source)).parse_all(); }

}  // namespace layerboost::jinja
