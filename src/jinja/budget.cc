#include "jinja/budget.h"

#include <utility>

#include "jinja/value.h"

namespace layerboost::jinja {

namespace {

thread_local Budget* current_budget = nullptr;

constexpr std::size_t value_cost = 8;  // of one more value in a list: copying it, and letting it go

}  // namespace

Budget::Budget(std::size_t most_work) : outer_(std::exchange(current_budget, this)), most_work_(most_work) {}

Budget::~Budget() { current_budget = outer_; }

void charge(std::size_t units) {
  if (current_budget == nullptr) return;
  const std::size_t most = current_budget->most_work_;
  if (units > most - current_budget->work_) reject("the template runs without end: more than {} steps", most);
  current_budget->work_ += units;
}

void charge_copy(std::size_t bytes) { charge(8 + bytes / 8); }

void charge_values(std::size_t count) {
  charge(count * value_cost);
  const Held room(count * sizeof(Value));
}

Held::Held() : budget_(current_budget) {}

Held::Held(Held&& other) noexcept : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}

Held::~Held() {
  if (budget_ != nullptr) budget_->memory_ -= bytes_;
}

void Held::add(std::size_t bytes) {
  if (budget_ == nullptr) return;
  if (bytes > Budget::max_memory - budget_->memory_)
    reject("the template holds more than {} bytes", Budget::max_memory);
  budget_->memory_ += bytes;
  bytes_ += bytes;
}

}  // namespace layerboost::jinja
