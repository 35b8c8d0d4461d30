// Template text to a tree of statements. The grammar is Jinja 3.1's, without inheritance and inclusion.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace layerboost::jinja {

/// Throws SyntaxError.
Body parse_template(std::string_view source);

/// The tokens of a template, and expressions read from them. Each parse_...() leaves the first token after what it
/// read.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  [[nodiscard]] const Token& token() const { return tokens_[at_]; }
  Token take();
  [[nodiscard]] bool at_symbol(std::string_view symbol) const { return at_symbol(token(), symbol); }
  [[nodiscard]] bool at_name(std::string_view name) const;
  bool skip_symbol(std::string_view symbol);
  bool skip_name(std::string_view name);
  void expect_symbol(std::string_view symbol);
  void expect_name(std::string_view name);
  std::string take_name();
  [[noreturn]] void unexpected(std::string_view wanted) const;

  /// An expression, with "if" and "else" after it unless `conditional` is false.
  Expr parse_expression(bool conditional = true);
  /// An expression as parse_expression() reads it, but "a, b" makes a list.
  Expr parse_tuple(bool conditional = true);
  /// "| name(...)" any number of times; `value`: nullptr for the text of a block, whose first filter has no "|".
  Expr parse_filters(Expr value);
  /// "(...)"
  CallArguments parse_call_arguments();
  Expr make_call(int line, Expr callee, CallArguments arguments);

  /// Guards recursion: one per function that calls itself through others.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  static bool at_symbol(const Token& token, std::string_view symbol) {
    return token.kind == Token::Kind::symbol && token.text == symbol;
  }

  template <typename Node>
  Expr make(int line, Node node, int highest_child);
  Expr parse_or();
  Expr parse_and();
  /// OPERAND [WORD OPERAND]...
  Expr parse_chain(const char* word, Expr (ExpressionParser::*operand)());
  Expr parse_not();
  Expr parse_comparison();
  Expr parse_sum();
  Expr parse_concatenation();
  Expr parse_product();
  Expr parse_power();
  Expr parse_unary(bool with_filters);
  Expr parse_primary();
  Expr parse_parentheses();
  Expr parse_list();
  Expr parse_dict();
  Expr parse_postfix(Expr value);
  Expr parse_after_dot(Expr value);
  Expr parse_subscript(Expr value);
  Expr parse_filters_and_tests(Expr value);
  Expr parse_filter(Expr value);
  Expr parse_test(Expr value);
  Expr parse_binary(std::initializer_list<std::string_view> symbols, Expr (ExpressionParser::*operand)());

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace layerboost::jinja
