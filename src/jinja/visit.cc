#include "jinja/visit.h"

namespace layerboost::jinja {

namespace {

class Walk {
 public:
  explicit Walk(const Visitor& visitor) : visitor_(visitor) {}

  void body(const Body& statements) const {
    for (const Statement& statement : statements) {
      if (visitor_.statement) visitor_.statement(statement);
      std::visit([this](const auto& node) { inside(node); }, statement.node);
    }
  }

 private:
  void expression(const Expr& expression) const {
    if (!expression) return;
    if (visitor_.expression) visitor_.expression(*expression);
    std::visit([this](const auto& node) { inside(node); }, expression->node);
  }

  void all(const std::vector<Expr>& expressions) const {
    for (const Expr& one : expressions) expression(one);
  }

  void arguments(const CallArguments& arguments) const {
    all(arguments.positional);
    for (const auto& [name, value] : arguments.named) expression(value);
    expression(arguments.spread);
    expression(arguments.named_spread);
  }

  // Expressions.
  void inside(const Literal&) const {}
  void inside(const Name&) const {}
  void inside(const ListDisplay& node) const { all(node.items); }
  void inside(const DictDisplay& node) const {
    for (const auto& [key, value] : node.items) {
      expression(key);
      expression(value);
    }
  }
  void inside(const Attribute& node) const { expression(node.object); }
  void inside(const Subscript& node) const {
    expression(node.object);
    expression(node.index);
  }
  void inside(const Slice& node) const {
    expression(node.object);
    expression(node.start);
    expression(node.stop);
    expression(node.step);
  }
  void inside(const Call& node) const {
    expression(node.callee);
    arguments(node.arguments);
  }
  void inside(const Filter& node) const {
    expression(node.value);
    arguments(node.arguments);
  }
  void inside(const Test& node) const {
    expression(node.value);
    arguments(node.arguments);
  }
  void inside(const Unary& node) const { expression(node.operand); }
  void inside(const Binary& node) const {
    expression(node.left);
    expression(node.right);
  }
  void inside(const Comparison& node) const {
    expression(node.first);
    for (const auto& [op, operand] : node.rest) expression(operand);
  }
  void inside(const Concatenation& node) const { all(node.parts); }
  void inside(const Conditional& node) const {
    expression(node.test);
    expression(node.then);
    expression(node.otherwise);
  }

  // Statements.
  void inside(const Data&) const {}
  void inside(const Break&) const {}
  void inside(const Continue&) const {}
  void inside(const Output& node) const { expression(node.value); }
  void inside(const For& node) const {
    expression(node.items);
    expression(node.filter);
    body(node.body);
    body(node.otherwise);
  }
  void inside(const If& node) const {
    for (const auto& [test, then] : node.branches) {
      expression(test);
      body(then);
    }
    body(node.otherwise);
  }
  void inside(const Set& node) const { expression(node.value); }
  void inside(const SetBlock& node) const {
    expression(node.filter);
    body(node.body);
  }
  void inside(const std::shared_ptr<const Macro>& macro) const {
    for (const Parameter& parameter : macro->parameters) expression(parameter.fallback);
    body(macro->body);
  }
  void inside(const CallBlock& node) const {
    expression(node.call);
    inside(node.caller);
  }
  void inside(const FilterBlock& node) const {
    expression(node.filter);
    body(node.body);
  }
  void inside(const With& node) const {
    for (const auto& [target, value] : node.assignments) expression(value);
    body(node.body);
  }
  void inside(const Autoescape& node) const {
    expression(node.on);
    body(node.body);
  }

  const Visitor& visitor_;
};

}  // namespace

void visit(const Body& body, const Visitor& visitor) { Walk(visitor).body(body); }

bool reads_name(const Body& body, std::string_view name) {
  bool found = false;
  visit(body, {.statement = nullptr, .expression = [&](const Expression& expression) {
                 const auto* const read = std::get_if<Name>(&expression.node);
                 found = found || (read != nullptr && read->name == name);
               }});
  return found;
}

}  // namespace layerboost::jinja
