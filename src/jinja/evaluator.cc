#include "jinja/evaluator.h"

#include <algorithm>
#include <utility>

#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr int max_level = 800;
constexpr std::size_t step_cost = 64;  // of one node, in units of charge()

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

// Empties a value in the end: one that holds what holds it would stay for ever.
struct Forgetting {
  Value& value;
  ~Forgetting() { value = Value(); }
};

// The variable `loop` at item number `at`. `last`: what loop.changed() was last asked about, of all rounds.
Value loop_value(const std::vector<Value>& items, std::size_t at, const std::shared_ptr<Value>& last) {
  const auto number = [](std::size_t n) { return Value::integer(static_cast<std::int64_t>(n)); };
  const std::size_t count = items.size();
  std::vector<std::pair<Value, Value>> loop;
  loop.reserve(13);
  const auto put = [&](const char* name, Value value) { loop.emplace_back(Value::text(name), std::move(value)); };
  put("index", number(at + 1));
  put("index0", number(at));
  put("first", Value::boolean(at == 0));
  put("last", Value::boolean(at + 1 == count));
  put("length", number(count));
  put("revindex", number(count - at));
  put("revindex0", number(count - at - 1));
  put("depth", number(1));  // of recursive loops, which there are none of
  put("depth0", number(0));
  if (at > 0) put("previtem", items[at - 1]);
  if (at + 1 < count) put("nextitem", items[at + 1]);
  put("cycle", Value::callable({"cycle", [at](Context&, const Arguments& arguments) {
                                  if (arguments.positional.empty()) reject("loop.cycle() needs values");
                                  return arguments.positional[at % arguments.positional.size()];
                                }}));
  put("changed", Value::callable({"changed", [last](Context&, const Arguments& arguments) {
                                    Value asked = Value::list(arguments.positional, Form::tuple);
                                    const bool changed = !equal(asked, *last);
                                    *last = std::move(asked);
                                    return Value::boolean(changed);
                                  }}));
  return Value::dict(std::move(loop));
}

}  // namespace

void Scope::set(const std::string& name, Value value) {
  for (auto& [known, held] : names) {
    if (!same_text(known, name)) continue;
    held = std::move(value);
    return;
  }
  names.emplace_back(name, std::move(value));
}

const Value* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer.get())
    for (const auto& [known, held] : scope->names)
      if (same_text(known, name)) return &held;
  return nullptr;
}

Evaluator::Level::Level(Evaluator& evaluator) : evaluator_(evaluator) {
  if (++evaluator_.level_ > max_level) {
    --evaluator_.level_;
    reject("calls nest too deep");
  }
  charge(step_cost);
}

Evaluator::Evaluator(Context& context, int& line, std::vector<std::pair<std::string, Value>> globals)
    : context_(context), line_(line), top_(std::make_shared<Scope>(Scope{nullptr, std::move(globals)})) {}

std::string Evaluator::run(const Body& body) { return text_of(body, top_); }

std::string Evaluator::text_of(const Body& body, const ScopePointer& scope) {
  Printed out;
  execute(body, scope, out);
  return out.take();
}

Evaluator::ScopePointer Evaluator::inside(const ScopePointer& scope) {
  return std::make_shared<Scope>(Scope{scope, {}});
}

void Printed::add(std::string_view text) {
  charge_copy(text.size());
  if (text_.size() + text.size() > Value::max_weight) reject("the text grows over {} bytes", Value::max_weight);
  held_.add(text.size());
  text_ += text;
}

Evaluator::Flow Evaluator::execute(const Body& body, const ScopePointer& scope, Printed& out) {
  for (const Statement& statement : body)
    if (const Flow flow = execute(statement, scope, out); flow != Flow::next) return flow;
  return Flow::next;
}

Evaluator::Flow Evaluator::execute(const Statement& statement, const ScopePointer& scope, Printed& out) {
  const Level level(*this);
  line_ = statement.line;
  return std::visit(
      Overloaded{[&](const Data& node) {
                   out.add(node.text);
                   return Flow::next;
                 },
                 [&](const Output& node) {
                   const Value value = evaluate(*node.value, *scope);
                   const bool plain = !context_.escaping || value.is_markup();
                   out.add(plain ? to_text(value) : escape_html(to_text(value)));
                   return Flow::next;
                 },
                 [&](const For& node) { return execute_for(node, scope, out); },
                 [&](const If& node) {
                   for (const auto& [test, body] : node.branches)
                     if (truth(evaluate(*test, *scope))) return execute(body, scope, out);
                   return execute(node.otherwise, scope, out);
                 },
                 [&](const Set& node) {
                   assign(node.target, evaluate(*node.value, *scope), *scope);
                   return Flow::next;
                 },
                 [&](const SetBlock& node) {
                   std::string text = text_of(node.body, inside(scope));
                   assign(node.target,
                          node.filter ? evaluate_filtered(*node.filter, std::move(text), *scope)
                                      : Value::text(std::move(text), context_.escaping),
                          *scope);
                   return Flow::next;
                 },
                 [&](const std::shared_ptr<const Macro>& macro) {
                   scope->set(macro->name, make_macro(macro, scope));
                   return Flow::next;
                 },
                 [&](const CallBlock& node) {
                   const auto& target = std::get<Call>(node.call->node);
                   Arguments arguments = evaluate_arguments(target.arguments, *scope);
                   arguments.named.emplace_back("caller", make_macro(node.caller, scope));
                   out.add(to_text(call(target, arguments, *scope)));
                   return Flow::next;
                 },
                 [&](const FilterBlock& node) {
                   out.add(to_text(evaluate_filtered(*node.filter, text_of(node.body, inside(scope)), *scope)));
                   return Flow::next;
                 },
                 [&](const With& node) {
                   const ScopePointer inner = inside(scope);
                   for (const auto& [target, value] : node.assignments)
                     assign(target, evaluate(*value, *scope), *inner);
                   return execute(node.body, inner, out);
                 },
                 [&](const Autoescape& node) {
                   const bool on = truth(evaluate(*node.on, *scope));
                   const bool outer = std::exchange(context_.escaping, on);
                   const Flow flow = execute(node.body, inside(scope), out);
                   context_.escaping = outer;
                   return flow;
                 },
                 [](const Break&) { return Flow::break_loop; }, [](const Continue&) { return Flow::continue_loop; }},
      statement.node);
}

Evaluator::Flow Evaluator::execute_for(const For& loop, const ScopePointer& scope, Printed& out) {
  std::vector<Value> items = items_of(evaluate(*loop.items, *scope));
  if (loop.filter) {
    std::vector<Value> chosen;
    for (Value& item : items) {
      const ScopePointer inner = inside(scope);
      assign(loop.target, item, *inner);
      if (truth(evaluate(*loop.filter, *inner))) chosen.push_back(std::move(item));
    }
    items = std::move(chosen);
  }
  if (items.empty()) return execute(loop.otherwise, scope, out);
  const auto last = std::make_shared<Value>();
  const Forgetting forgetting{*last};
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ScopePointer inner = inside(scope);
    inner->set("loop", loop_value(items, i, last));
    assign(loop.target, items[i], *inner);
    if (execute(loop.body, inner, out) == Flow::break_loop) break;
  }
  return Flow::next;
}

void Evaluator::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.parts.empty()) {
    const std::vector<Value> items = items_of(value);
    if (items.size() != target.parts.size()) reject("{} values for {} names", items.size(), target.parts.size());
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i], scope);
  } else if (target.attribute.empty()) {
    scope.set(target.name, value);
  } else {
    const Value* const owner = scope.find(target.name);
    if (owner == nullptr || !owner->is(Kind::name_space))
      reject("{}.{} can't be set: only a namespace's attributes can", target.name, target.attribute);
    owner->as_namespace().set(target.attribute, value);
  }
}

Value Evaluator::make_macro(const std::shared_ptr<const Macro>& macro, const ScopePointer& scope) {
  std::vector<Value> names;
  for (const Parameter& parameter : macro->parameters) names.push_back(Value::text(parameter.name));
  return Value::callable({macro->name,
                          [this, macro, weak = std::weak_ptr<Scope>(scope)](Context&, const Arguments& arguments) {
                            const ScopePointer definition = weak.lock();
                            if (!definition)
                              reject("the macro \"{}\" is called outside of the block that holds it", macro->name);
                            return call_macro(*macro, definition, arguments);
                          },
                          {{"name", Value::text(macro->name)},
                           {"arguments", Value::list(std::move(names), Form::tuple)},
                           {"catch_varargs", Value::boolean(macro->varargs)},
                           {"catch_kwargs", Value::boolean(macro->kwargs)},
                           {"caller", Value::boolean(macro->caller)}}});
}

Value Evaluator::call_macro(const Macro& macro, const ScopePointer& scope, const Arguments& arguments) {
  const ScopePointer inner = inside(scope);
  const int line = line_;
  std::vector<bool> given(macro.parameters.size(), false);
  const auto position = [&](const std::string& name) {
    const auto found = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                    [&](const Parameter& parameter) { return same_text(parameter.name, name); });
    return static_cast<std::size_t>(found - macro.parameters.begin());
  };
  if (arguments.positional.size() > macro.parameters.size() && !macro.varargs)
    reject("the macro \"{}\" takes {} arguments, not {}", macro.name, macro.parameters.size(),
           arguments.positional.size());
  const std::size_t by_position = std::min(arguments.positional.size(), given.size());
  for (std::size_t i = 0; i < by_position; ++i) {
    inner->set(macro.parameters[i].name, arguments.positional[i]);
    given[i] = true;
  }
  if (macro.varargs) {
    const auto begin = arguments.positional.begin() + static_cast<std::ptrdiff_t>(by_position);
    inner->set("varargs", Value::list({begin, arguments.positional.end()}, Form::tuple));
  }
  std::vector<std::pair<Value, Value>> others;
  bool called_with_body = false;
  for (const auto& [name, value] : arguments.named) {
    const std::size_t at = position(name);
    if (at >= by_position && at < given.size()) {
      given[at] = true;
      inner->set(name, value);
    } else if (name == "caller" && macro.caller) {
      called_with_body = true;
      inner->set(name, value);
    } else if (macro.kwargs) {
      others.emplace_back(Value::text(name), value);
    } else if (at < by_position) {
      reject("the macro \"{}\" is given the argument \"{}\" twice", macro.name, name);
    } else {
      reject("the macro \"{}\" has no argument called \"{}\"", macro.name, name);
    }
  }
  if (macro.kwargs) inner->set("kwargs", Value::dict(std::move(others)));
  if (macro.caller && !called_with_body && position("caller") == given.size())
    inner->set("caller", Value::undefined("caller"));
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (!given[i])
      inner->set(parameter.name,
                 parameter.fallback ? evaluate(*parameter.fallback, *inner) : Value::undefined(parameter.name));
  }
  std::string text = text_of(macro.body, inner);
  line_ = line;
  return Value::text(std::move(text), context_.escaping);
}

}  // namespace layerboost::jinja
