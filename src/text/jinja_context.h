// What a render under way keeps for everything it calls.
#pragma once

#include <cstddef>
#include <ctime>
#include <memory>
#include <vector>

#include "text/jinja_value.h"

namespace layerboost::jinja {

/// Templates come with models: somebody else's code, which may not run for ever or fill the memory.
struct Context {
  static constexpr std::size_t max_work = std::size_t{1} << 30U;  // about a second

  std::time_t now = 0;
  std::size_t work = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces;  // all: they may hold each other in circles

  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    for (const auto& one : namespaces) one->members.clear();
  }

  /// Counts work about to be done, in units of about a nanosecond: one for a value to go through or a byte to look at.
  /// Throws TemplateError when it is too much.
  void charge(std::size_t units) {
    if (units > max_work - work) reject("the template runs without end: more than {} steps", max_work);
    work += units;
  }
  /// As charge(), of bytes that are only copied.
  void charge_copy(std::size_t bytes) { charge(bytes / 8); }
};

}  // namespace layerboost::jinja
