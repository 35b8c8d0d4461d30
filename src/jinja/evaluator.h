// The evaluator of the template language: it takes a parsed template (jinja/ast.h) and the variables that it begins
// with, and gives the text that the template prints. An Evaluator is one render. It looks names up in Scopes, and
// charges all work and memory to the Budget of its Context (jinja/context.h), for a template comes with a model and may
// be anybody's code. It reads no files and knows nothing of chats: text/chat_template.h gives it messages as variables.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/context.h"

namespace layerboost::jinja {

/// Names and what they stand for; lookups go outwards. A macro keeps the scope that it was defined in by a weak
/// pointer: scopes hold macros.
struct Scope {
  std::shared_ptr<const Scope> outer;
  std::vector<std::pair<std::string, Value>> names;

  void set(const std::string& name, Value value);
  [[nodiscard]] const Value* find(const std::string& name) const;
};

/// Text that grows, and its memory of the budget.
class Printed {
 public:
  /// Throws TemplateError when it grows too large.
  void add(std::string_view text);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  Held held_;
};

/// One render. A tree is shared by many; an evaluator is used once.
class Evaluator {
 public:
  /// `line`: always the line of the template that runs. `globals`: the variables and functions it begins with.
  /// Requires: `context` and `line` outlive this.
  Evaluator(Context& context, int& line, std::vector<std::pair<std::string, Value>> globals);

  /// The text of `body`. Throws TemplateError.
  std::string run(const Body& body);

 private:
  enum class Flow { next, break_loop, continue_loop };
  using ScopePointer = std::shared_ptr<Scope>;

  // Statements, in evaluator.cc. `out` grows by what they print.
  Flow execute(const Body& body, const ScopePointer& scope, Printed& out);
  Flow execute(const Statement& statement, const ScopePointer& scope, Printed& out);
  Flow execute_for(const For& loop, const ScopePointer& scope, Printed& out);
  std::string text_of(const Body& body, const ScopePointer& scope);
  void assign(const Target& target, const Value& value, Scope& scope);
  Value make_macro(const std::shared_ptr<const Macro>& macro, const ScopePointer& scope);
  Value call_macro(const Macro& macro, const ScopePointer& scope, const Arguments& arguments);
  ScopePointer inside(const ScopePointer& scope);

  // Expressions, in expressions.cc.
  Value evaluate(const Expression& expression, const Scope& scope);
  Value evaluate_filtered(const Expression& filters, std::string text, const Scope& scope);
  Arguments evaluate_arguments(const CallArguments& arguments, const Scope& scope);
  Value evaluate_node(const Literal& node, const Scope& scope);
  Value evaluate_node(const Name& node, const Scope& scope);
  Value evaluate_node(const ListDisplay& node, const Scope& scope);
  Value evaluate_node(const DictDisplay& node, const Scope& scope);
  Value evaluate_node(const Attribute& node, const Scope& scope);
  Value evaluate_node(const Subscript& node, const Scope& scope);
  Value evaluate_node(const Slice& node, const Scope& scope);
  Value evaluate_node(const Call& node, const Scope& scope);
  Value evaluate_node(const Filter& node, const Scope& scope);
  Value evaluate_node(const Test& node, const Scope& scope);
  Value evaluate_node(const Unary& node, const Scope& scope);
  Value evaluate_node(const Binary& node, const Scope& scope);
  Value evaluate_node(const Comparison& node, const Scope& scope);
  Value evaluate_node(const Concatenation& node, const Scope& scope);
  Value evaluate_node(const Conditional& node, const Scope& scope);
  Value call(const Call& node, const Arguments& arguments, const Scope& scope);

  /// Counts the levels of the C++ stack.
  class Level {
   public:
    explicit Level(Evaluator& evaluator);
    ~Level() { --evaluator_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Evaluator& evaluator_;
  };

  Context& context_;
  int& line_;
  ScopePointer top_;
  int level_ = 0;
  const Value* block_text_ = nullptr;  // what the filters of a block begin with
};

}  // namespace layerboost::jinja
