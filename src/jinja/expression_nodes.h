// How expressions are put together while they are read; for the parser's own files.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "jinja/parser.h"

namespace layerboost::jinja {

inline constexpr int max_height = 300;

inline int height_of(const Expr& expression) { return expression ? expression->height : 0; }

inline int height_of(const CallArguments& arguments) {
  int highest = 0;
  for (const Expr& argument : arguments.positional) highest = std::max(highest, height_of(argument));
  for (const auto& [name, argument] : arguments.named) highest = std::max(highest, height_of(argument));
  highest = std::max({highest, height_of(arguments.spread), height_of(arguments.named_spread)});
  return highest;
}

template <typename Node>
Expr ExpressionParser::make(int line, Node node, int highest_child) {
  if (highest_child >= max_height)
    throw SyntaxError(line, fmt::format("an expression of more than {} levels", max_height));
  return std::make_unique<const Expression>(Expression{line, highest_child + 1, std::move(node)});
}

}  // namespace layerboost::jinja
