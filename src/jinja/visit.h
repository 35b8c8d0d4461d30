// Goes through a parsed template.
#pragma once

#include <functional>

#include "jinja/ast.h"

namespace layerboost::jinja {

/// What is called of each statement and expression, before those inside of it; may be empty.
struct Visitor {
  std::function<void(const Statement&)> statement;
  std::function<void(const Expression&)> expression;
};

/// All statements and expressions of `body`, the bodies of its macros among them.
void visit(const Body& body, const Visitor& visitor);

/// Whether `body` reads a variable of that name.
bool reads_name(const Body& body, std::string_view name);

}  // namespace layerboost::jinja
