#include <algorithm>
#include <utility>

#include "jinja/evaluator.h"
#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

// What can be asked of undefined is only whether it is.
[[noreturn]] void reject_undefined(const Value& value) {
  if (value.undefined_name().empty()) reject("the value is undefined");
  reject("\"{}\" is undefined", value.undefined_name());
}

const Value& defined(const Value& value) {
  if (value.is(Kind::undefined)) reject_undefined(value);
  return value;
}

}  // namespace

Value Evaluator::evaluate(const Expression& expression, const Scope& scope) {
  const Level level(*this);
  line_ = expression.line;
  return std::visit([&](const auto& node) { return evaluate_node(node, scope); }, expression.node);
}

Value Evaluator::evaluate_filtered(const Expression& filters, std::string text, const Scope& scope) {
  const Value block = Value::text(std::move(text), context_.escaping);
  const Value* const outer = std::exchange(block_text_, &block);
  Value value = evaluate(filters, scope);
  block_text_ = outer;
  return value;
}

Arguments Evaluator::evaluate_arguments(const CallArguments& arguments, const Scope& scope) {
  Arguments values;
  for (const Expr& argument : arguments.positional) values.positional.push_back(evaluate(*argument, scope));
  for (const auto& [name, argument] : arguments.named) values.named.emplace_back(name, evaluate(*argument, scope));
  if (arguments.spread) {
    const std::vector<Value> more = items_of(defined(evaluate(*arguments.spread, scope)));
    values.positional.insert(values.positional.end(), more.begin(), more.end());
  }
  if (arguments.named_spread) {
    const Value more = evaluate(*arguments.named_spread, scope);
    if (!defined(more).is(Kind::dict)) reject("what follows ** must be a dict, not a {}", name_of(more.kind()));
    for (const auto& [name, value] : more.as_dict()) {
      if (!name.is(Kind::string)) reject("the keys of what follows ** must be strings, not a {}", name_of(name.kind()));
      constexpr std::size_t find_cost = 4;  // of each argument that is looked at
      charge(find_cost * values.named.size());
      if (values.find(values.positional.size(), name.as_text()) != nullptr)
        reject("two arguments called \"{}\"", name.as_text());
      values.named.emplace_back(to_text(name), value);
    }
  }
  return values;
}

Value Evaluator::evaluate_node(const Literal& node, const Scope&) { return node.value; }

Value Evaluator::evaluate_node(const Name& node, const Scope& scope) {
  const Value* const found = scope.find(node.name);
  return found != nullptr ? *found : Value::undefined(node.name);
}

Value Evaluator::evaluate_node(const ListDisplay& node, const Scope& scope) {
  std::vector<Value> items;
  for (const Expr& item : node.items) items.push_back(evaluate(*item, scope));
  return Value::list(std::move(items), node.form);
}

Value Evaluator::evaluate_node(const DictDisplay& node, const Scope& scope) {
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key_node, value_node] : node.items) {
    Value key = evaluate(*key_node, scope);
    if ((key.is(Kind::list) && key.form() == Form::list) || key.is(Kind::dict))
      reject("a {} can't be a key", name_of(key.kind()));
    Value value = evaluate(*value_node, scope);
    const auto same = [&](const auto& item) { return equal(item.first, key); };
    if (const auto known = std::find_if(items.begin(), items.end(), same); known != items.end())
      known->second = std::move(value);
    else
      items.emplace_back(std::move(key), std::move(value));
  }
  return Value::dict(std::move(items));
}

Value Evaluator::evaluate_node(const Attribute& node, const Scope& scope) {
  const Value object = evaluate(*node.object, scope);
  const Value& owner = defined(object);
  if (!owner.is(Kind::name_space) && method_exists(owner, node.name)) {
    // Python's bound method: true, and of no further use without a call, which Call sees to.
    return Value::callable({node.name, [name = node.name](Context&, const Arguments&) -> Value {
                              reject("the method \"{}\" must be called where it is named", name);
                            }});
  }
  const Value* const found = owner.find(node.name);
  return found != nullptr ? *found : Value::undefined(node.name);
}

Value Evaluator::evaluate_node(const Subscript& node, const Scope& scope) {
  const Value object = evaluate(*node.object, scope);
  const Value index = evaluate(*node.index, scope);
  return item_of(defined(object), index);
}

Value Evaluator::evaluate_node(const Slice& node, const Scope& scope) {
  const Value object = evaluate(*node.object, scope);
  const auto part = [&](const Expr& expression) { return expression ? evaluate(*expression, scope) : Value::none(); };
  const Value start = part(node.start), stop = part(node.stop), step = part(node.step);
  return slice_of(defined(object), start, stop, step);
}

Value Evaluator::evaluate_node(const Call& node, const Scope& scope) {
  return call(node, evaluate_arguments(node.arguments, scope), scope);
}

Value Evaluator::call(const Call& node, const Arguments& arguments, const Scope& scope) {
  const int line = line_;
  if (const auto* const attribute = std::get_if<Attribute>(&node.callee->node)) {
    const Value object = evaluate(*attribute->object, scope);
    const Value& owner = defined(object);
    line_ = line;
    if (!owner.is(Kind::name_space) && method_exists(owner, attribute->name))
      return call_method(context_, owner, attribute->name, arguments);
    const Value* const member = owner.find(attribute->name);
    if (member == nullptr || !member->is(Kind::callable))
      reject("a {} has no method \"{}\"", name_of(owner.kind()), attribute->name);
    return member->as_callable().call(context_, arguments);
  }
  const Value callee = evaluate(*node.callee, scope);
  line_ = line;
  if (!defined(callee).is(Kind::callable)) reject("a {} can't be called", name_of(callee.kind()));
  return callee.as_callable().call(context_, arguments);
}

Value Evaluator::evaluate_node(const Filter& node, const Scope& scope) {
  const int line = line_;
  const Value value = node.value ? evaluate(*node.value, scope) : *block_text_;
  const Arguments arguments = evaluate_arguments(node.arguments, scope);
  line_ = line;
  return apply_filter(context_, node.name, value, arguments);
}

Value Evaluator::evaluate_node(const Test& node, const Scope& scope) {
  const Value value = evaluate(*node.value, scope);
  return Value::boolean(apply_test(context_, node.name, value, evaluate_arguments(node.arguments, scope)));
}

Value Evaluator::evaluate_node(const Unary& node, const Scope& scope) {
  const Value operand = evaluate(*node.operand, scope);
  if (node.op == "not") return Value::boolean(!truth(operand));
  if (!defined(operand).is_number()) reject("\"{}\" needs a number, not a {}", node.op, name_of(operand.kind()));
  if (node.op == "+") return operand.is(Kind::boolean) ? Value::integer(operand.as_integer()) : operand;
  if (operand.is(Kind::real)) return Value::real(-operand.as_real());
  return calculate("-", Value::integer(0), operand);
}

Value Evaluator::evaluate_node(const Binary& node, const Scope& scope) {
  const int line = line_;
  Value left = evaluate(*node.left, scope);
  if (node.op == "and") return truth(left) ? evaluate(*node.right, scope) : left;
  if (node.op == "or") return truth(left) ? left : evaluate(*node.right, scope);
  const Value right = evaluate(*node.right, scope);
  line_ = line;
  return calculate(node.op, defined(left), defined(right));
}

Value Evaluator::evaluate_node(const Comparison& node, const Scope& scope) {
  Value left = evaluate(*node.first, scope);
  for (const auto& [op, operand] : node.rest) {
    Value right = evaluate(*operand, scope);
    if (!compare(op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Evaluator::evaluate_node(const Concatenation& node, const Scope& scope) {
  std::vector<Value> parts;
  bool markup = false;
  for (const Expr& part : node.parts) {
    parts.push_back(evaluate(*part, scope));
    markup = markup || parts.back().is_markup();
  }
  markup = markup && context_.escaping;
  Printed printed;
  for (const Value& part : parts) printed.add(markup && !part.is_markup() ? escape_html(to_text(part)) : to_text(part));
  return Value::text(printed.take(), markup);
}

Value Evaluator::evaluate_node(const Conditional& node, const Scope& scope) {
  if (truth(evaluate(*node.test, scope))) return evaluate(*node.then, scope);
  return node.otherwise ? evaluate(*node.otherwise, scope) : Value();
}

}  // namespace layerboost::jinja
