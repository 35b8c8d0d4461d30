// A parsed template: expressions and statements.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/value.h"

namespace layerboost::jinja {

struct Expression;
using Expr = std::unique_ptr<const Expression>;

struct CallArguments {
  std::vector<Expr> positional;
  std::vector<std::pair<std::string, Expr>> named;
  Expr spread, named_spread;  // *list and **dict; nullptr: none
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct ListDisplay {  // [a, b], (a, b) or a, b
  std::vector<Expr> items;
  Form form = Form::list;
};
struct DictDisplay {
  std::vector<std::pair<Expr, Expr>> items;
};
struct Attribute {  // object.name
  Expr object;
  std::string name;
};
struct Subscript {  // object[index]
  Expr object, index;
};
struct Slice {  // object[start:stop:step], each or none
  Expr object, start, stop, step;
};
struct Call {
  Expr callee;
  CallArguments arguments;
};
struct Filter {  // value | name(arguments)
  Expr value;    // nullptr: the text of the filter block
  std::string name;
  CallArguments arguments;
};
struct Test {  // value is name(arguments)
  Expr value;
  std::string name;
  CallArguments arguments;
};
struct Unary {  // "-", "+", "not"
  std::string op;
  Expr operand;
};
struct Binary {  // "+", "-", "*", "/", "//", "%", "**", "and", "or"
  std::string op;
  Expr left, right;
};
struct Comparison {  // first op operand op operand ...
  Expr first;
  std::vector<std::pair<std::string, Expr>> rest;  // "==", "!=", "<", "<=", ">", ">=", "in", "not in"
};
struct Concatenation {  // part ~ part ~ ...
  std::vector<Expr> parts;
};
struct Conditional {           // then if test else otherwise
  Expr test, then, otherwise;  // otherwise: nullptr: undefined
};

struct Expression {
  int line = 1;
  int height = 1;  // longest way down
  std::variant<Literal, Name, ListDisplay, DictDisplay, Attribute, Subscript, Slice, Call, Filter, Test, Unary, Binary,
               Comparison, Concatenation, Conditional>
      node;
};

/// What is assigned to: a name, an attribute of a namespace, or several of these (where `parts` isn't empty).
struct Target {
  std::string name, attribute;
  std::vector<Target> parts;
};

struct Statement;
using Body = std::vector<Statement>;

struct Parameter {
  std::string name;
  Expr fallback;  // nullptr: undefined
};

struct Data {
  std::string text;
};
struct Output {
  Expr value;
};
struct For {
  Target target;
  Expr items, filter;  // filter: nullptr: all
  Body body, otherwise;
};
struct If {
  std::vector<std::pair<Expr, Body>> branches;
  Body otherwise;
};
struct Set {
  Target target;
  Expr value;
};
struct SetBlock {
  Target target;
  Expr filter;  // of the body's text; nullptr: none
  Body body;
};
struct Macro {
  std::string name;
  std::vector<Parameter> parameters;
  Body body;
  bool varargs = false, kwargs = false, caller = false;  // whether the body reads these, and so what it takes beyond
};
struct CallBlock {  // calls with the body as the macro "caller"
  Expr call;
  std::shared_ptr<const Macro> caller;
};
struct FilterBlock {
  Expr filter;
  Body body;
};
struct With {  // names of its own; also "generation", without any
  std::vector<std::pair<Target, Expr>> assignments;
  Body body;
};
struct Autoescape {  // whether what the body prints is escaped for HTML
  Expr on;
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  int line = 1;
  std::variant<Data, Output, For, If, Set, SetBlock, std::shared_ptr<const Macro>, CallBlock, FilterBlock, With,
               Autoescape, Break, Continue>
      node;
};

}  // namespace layerboost::jinja
