#include "grammar/constraint.h"

#include <utility>

namespace layerboost {
namespace {

constexpr std::size_t most_masks = 256;
constexpr std::size_t most_room = std::size_t{1} << 21;  // of the automaton: 8 MiB

}  // namespace

Constraint::Constraint(Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary)
    : bytes_(grammar.bytes()),
      vocabulary_(std::move(vocabulary)),
      automaton_(std::move(grammar)),
      can_begin_(automaton_.start() >= 0) {}

Guide::Guide(std::shared_ptr<Constraint> constraint) : constraint_(std::move(constraint)) {
  const std::lock_guard lock(constraint_->mutex_);
  state_ = constraint_->automaton_.start();
  age_ = constraint_->age_;
  if (state_ >= 0) places_ = constraint_->automaton_.places(state_);
}

/// The state, in the automaton as it is. Requires: the mutex is held.
int Guide::state() {
  Constraint& shared = *constraint_;
  if (shared.automaton_.room() > most_room) {
    ++shared.age_;  // first: where memory runs short below, nobody takes an old state for one of now
    shared.masks_.clear();
    shared.automaton_.forget();
  }
  if (age_ == shared.age_) return state_;
  if (state_ >= 0) state_ = shared.automaton_.state_of(places_);
  age_ = shared.age_;
  return state_;
}

bool Guide::allows(TokenId token) {
  const std::lock_guard lock(constraint_->mutex_);
  return constraint_->vocabulary_->next(constraint_->automaton_, state(), token) >= 0;
}

std::shared_ptr<const TokenMask> Guide::allowed() {
  const std::lock_guard lock(constraint_->mutex_);
  const int at = state();
  if (at < 0) return nullptr;
  if (const auto found = constraint_->masks_.find(at); found != constraint_->masks_.end()) return found->second;
  TokenMask mask = constraint_->vocabulary_->allowed(constraint_->automaton_, at);
  if (mask.empty()) return nullptr;
  if (constraint_->masks_.size() >= most_masks) constraint_->masks_.clear();
  return constraint_->masks_[at] = std::make_shared<const TokenMask>(std::move(mask));
}

bool Guide::may_end() {
  const std::lock_guard lock(constraint_->mutex_);
  const int at = state();
  return at >= 0 && constraint_->automaton_.accepts(at);
}

bool Guide::must_end() {
  const std::lock_guard lock(constraint_->mutex_);
  const int at = state();
  return at >= 0 && constraint_->automaton_.accepts(at) && constraint_->automaton_.is_last(at);
}

void Guide::see(TokenId token) {
  const std::lock_guard lock(constraint_->mutex_);
  state_ = constraint_->vocabulary_->next(constraint_->automaton_, state(), token);
  if (state_ >= 0) places_ = constraint_->automaton_.places(state_);
}

}  // namespace layerboost
