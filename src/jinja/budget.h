// What running a template may cost. Templates come with models: somebody else's code, which may not run for ever or
// fill the memory. The evaluator counts its steps here, every value what it is made of, and whatever goes through texts
// and lists what it goes through.
#pragma once

#include <cstddef>

namespace layerboost::jinja {

/// The budget of one render. While it lives it is the one that its thread's charges go to.
class Budget {
 public:
  static constexpr std::size_t max_work = std::size_t{1} << 30U;      // about a second
  static constexpr std::size_t max_memory = std::size_t{256} << 20U;  // bytes

  /// `most_work`: in place of max_work.
  explicit Budget(std::size_t most_work = max_work);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

 private:
  friend class Held;
  friend void charge(std::size_t units);

  Budget* outer_;
  const std::size_t most_work_;
  std::size_t work_ = 0;
  std::size_t memory_ = 0;
};

/// Counts work about to be done, in units of about a nanosecond. Throws TemplateError when it is too much. Does nothing
/// while no template runs: what a template is given isn't its doing.
void charge(std::size_t units);

/// Does as charge(), for a text of so many bytes that is only copied or compared.
void charge_copy(std::size_t bytes);

/// Does as charge(), for `count` values about to be put into a list; throws TemplateError, too, when there is no memory
/// for them.
void charge_values(std::size_t count);

/// Memory that is taken as long as this lives, from the budget of the render that it was made in. Requires: that budget
/// outlives this.
class Held {
 public:
  Held();
  explicit Held(std::size_t bytes) : Held() { add(bytes); }
  Held(Held&& other) noexcept;
  Held& operator=(Held&&) = delete;
  ~Held();

  /// Throws TemplateError when that is too much.
  void add(std::size_t bytes);

 private:
  Budget* budget_;  // nullptr: made while no template ran
  std::size_t bytes_ = 0;
};

}  // namespace layerboost::jinja
