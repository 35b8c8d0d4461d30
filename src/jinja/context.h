// What a render under way keeps for everything it calls.
#pragma once

#include <ctime>
#include <memory>
#include <vector>

#include "jinja/budget.h"
#include "jinja/value.h"

namespace layerboost::jinja {

struct Context {
  std::time_t now = 0;
  bool escaping = false;  // inside of {% autoescape true %}: what is printed is escaped for HTML
  Budget budget;
  std::vector<std::shared_ptr<Namespace>> namespaces;  // all: they may hold each other in circles
  Held held;                                           // for these

  explicit Context(std::size_t most_work = Budget::max_work) : budget(most_work) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    for (const auto& one : namespaces) one->members.clear();
  }
};

}  // namespace layerboost::jinja
