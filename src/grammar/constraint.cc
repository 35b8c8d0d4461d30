#include "grammar/constraint.h"

#include <algorithm>
#include <utility>

namespace layerboost {
namespace {

constexpr std::size_t most_masks = 64;

std::size_t saved_of_each(const LookingLimits& limits) {
  return std::max(limits.saved / static_cast<std::size_t>(limits.sequences), limits.least_saved);
}

}  // namespace

Constraint::Constraint(Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary, const LookingLimits& limits,
                       int spaces)
    : grammar_(std::make_shared<const Grammar>(std::move(grammar))),
      vocabulary_(std::move(vocabulary)),
      limits_(limits),
      spaces_(spaces) {
  Automaton automaton(grammar_, limits.automaton);
  const int start = automaton.start();
  if (start < 0) return;
  is_of_nothing_ = automaton.is_last(start);
  automaton.look_until(automaton.looked_at() + limits.saved);
  Vocabulary::Allowed found = vocabulary_->allowed(automaton, start, spaces);
  const bool is_long = automaton.is_spent();  // perhaps not all has to be looked at
  can_begin_ = !found.mask.empty() || is_long;
  if (!found.mask.empty()) first_ = {std::make_shared<const TokenMask>(std::move(found.mask)), found.cost};
}

Guide::Guide(std::shared_ptr<const Constraint> constraint, int spaces)
    : constraint_(std::move(constraint)), spaces_(spaces) {}

Guide::Reading::Reading(const Constraint& constraint, int spaces)
    : automaton(constraint.grammar_, constraint.limits_.automaton),
      state(automaton.start()),
      look_until(automaton.looked_at() + saved_of_each(constraint.limits_)) {
  if (constraint.first_.tokens != nullptr && spaces == constraint.spaces_) masks[{state, spaces}] = constraint.first_;
}

Guide::Reading& Guide::reading() {
  if (reading_ == nullptr) reading_ = std::make_unique<Reading>(*constraint_, spaces_);
  return *reading_;
}

bool Guide::allows(TokenId token) {
  Reading& at = reading();
  at.automaton.make_room();
  at.automaton.look_until(at.look_until);
  const int to = constraint_->vocabulary_->next(at.automaton, at.state, token, spaces_);
  if (to == Automaton::spent) throw TooMuchToLookAt();
  return to >= 0;
}

void Guide::forget_old_masks() {
  if (std::exchange(reading_->age, reading_->automaton.age()) != reading_->automaton.age()) reading_->masks.clear();
}

/// Keeps what was found for where the text is.
std::shared_ptr<const TokenMask> Guide::keep(Vocabulary::Allowed found) {
  forget_old_masks();  // the walk may have made room for itself
  if (found.mask.empty() && left() == 0) throw TooMuchToLookAt();
  if (found.mask.empty()) return nullptr;
  auto& masks = reading_->masks;
  if (masks.size() >= most_masks) masks.clear();
  auto tokens = std::make_shared<const TokenMask>(std::move(found.mask));
  masks[{reading_->state, spaces_}] = {tokens, found.cost};
  return tokens;
}

std::shared_ptr<const TokenMask> Guide::allowed(std::size_t most) {
  Reading& at = reading();
  if (at.state < 0) return nullptr;
  at.automaton.make_room();
  forget_old_masks();
  if (const auto known = at.masks.find({at.state, spaces_}); known != at.masks.end())
    return known->second.cost <= most ? known->second.tokens : nullptr;
  at.automaton.look_until(at.look_until);
  return keep(constraint_->vocabulary_->allowed(at.automaton, at.state, spaces_, most));
}

std::shared_ptr<const TokenMask> Guide::allowed_one_by_one() {
  Reading& at = reading();
  if (at.state < 0) return nullptr;
  at.automaton.look_until(at.look_until);
  return keep(constraint_->vocabulary_->allowed_one_by_one(at.automaton, at.state, spaces_));
}

std::size_t Guide::left() {
  const Reading& at = reading();
  return at.look_until - std::min(at.look_until, at.automaton.looked_at());
}

bool Guide::may_end() {
  const Reading& at = reading();
  return at.state >= 0 && at.automaton.accepts(at.state);
}

bool Guide::must_end() { return may_end() && reading_->automaton.is_last(reading_->state); }

void Guide::see(TokenId token) {
  Reading& at = reading();
  const LookingLimits& limits = constraint_->limits_;
  const std::size_t saved = saved_of_each(limits);
  at.automaton.make_room();
  at.automaton.look_until(at.automaton.looked_at() + saved);  // it was allowed, and what was found is known
  at.state = constraint_->vocabulary_->next(at.automaton, at.state, token, spaces_);
  spaces_ = constraint_->vocabulary_->spaces_after(token, spaces_);
  const std::size_t more = limits.for_token + limits.for_step / static_cast<std::size_t>(limits.sequences);
  at.look_until = std::min(at.look_until + more, at.automaton.looked_at() + saved);
}

}  // namespace layerboost
