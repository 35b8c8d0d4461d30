#include "grammar/number_grammar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr int most_integer_digits = 18, most_digits = 15;  // that 64 bits hold; that a double tells apart
constexpr std::size_t most_bound_digits = 15;

/// The digits of a number, without its sign: 012.50 is {"12", "5"}.
struct Digits {
  std::string whole, fraction;
  bool exclusive = false;

  [[nodiscard]] bool is_zero() const { return whole == "0" && fraction.empty(); }
  /// The digit at a place: 0.. in `whole`, then the fraction's, then zeros.
  [[nodiscard]] char at(std::size_t place) const {
    if (place < whole.size()) return whole[place];
    return place - whole.size() < fraction.size() ? fraction[place - whole.size()] : '0';
  }
  [[nodiscard]] bool is_zero_from(std::size_t place) const {
    for (; place < whole.size() + fraction.size(); ++place)
      if (at(place) != '0') return false;
    return true;
  }
};

bool is_negative(const Json& number) { return number.get<double>() < 0; }

Digits digits_of(const NumberBounds::Bound& bound) {
  std::array<char, 512> buffer{};
  std::string_view text;
  std::string of_integer;
  if (bound.number.is_number_integer()) {
    of_integer = bound.number.dump();
    text = of_integer;
  } else {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), bound.number.get<double>(),
                                   std::chars_format::fixed);
    text = std::string_view(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  }
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  Digits digits{std::string(text.substr(0, point)), std::string(text.substr(std::min(point + 1, text.size()))),
                bound.exclusive};
  while (digits.fraction.ends_with('0')) digits.fraction.pop_back();
  const bool both = !digits.fraction.empty() && digits.whole.size() + digits.fraction.size() > most_bound_digits;
  if (both || digits.whole.size() > most_integer_digits) fail("the bound {} has too many digits", text);
  return digits;
}

/// Spells the numbers, not negative, from `least` to `most`.
class Magnitudes {
 public:
  Magnitudes(Grammar& grammar, bool integer, Digits least, std::optional<Digits> most, int to)
      : grammar_(grammar), integer_(integer), least_(std::move(least)), most_(std::move(most)), to_(to) {}

  void spell(int from) {
    const int longest = most_ ? static_cast<int>(most_->whole.size()) : integer_ ? most_integer_digits : most_digits;
    for (int size = static_cast<int>(least_.whole.size()); size <= longest; ++size) {
      size_ = static_cast<std::size_t>(size);
      nodes_.clear();
      const bool by_least = size_ == least_.whole.size(), by_most = most_ && size == longest;
      step(from, 0, by_least, by_most);
    }
  }

 private:
  /// The node at a place; `by_least`, `by_most`: so far the number has the digits of that bound.
  int node_at(std::size_t place, bool by_least, bool by_most) {
    const auto [found, is_new] = nodes_.try_emplace({place, by_least, by_most}, -1);
    if (!is_new) return found->second;
    const int node = grammar_.add_node();
    found->second = node;
    if (place >= size_ && is_within(place, by_least, by_most)) grammar_.jump(node, to_);
    if (place == size_) {
      const std::size_t longest = most_fraction();
      if (!integer_ && longest > 0) step(grammar_.edge(node, '.', '.'), place, by_least, by_most);
    } else if (place < size_ + (place > size_ ? most_fraction() : 0)) {
      step(node, place, by_least, by_most);
    }
    return node;
  }

  /// The digits that may stand at `place`: those of the bounds lead to nodes of their own, all between to the same.
  void step(int from, std::size_t place, bool by_least, bool by_most) {
    const char low = by_least ? least_.at(place) : '0', high = by_most ? most_->at(place) : '9';
    for (char first = place == 0 && size_ > 1 ? std::max(low, '1') : low, last = first; first <= high; first = ++last) {
      const bool at_least = by_least && first == low;
      if (!at_least) last = by_most && first < high ? static_cast<char>(high - 1) : high;
      const auto byte = [](char digit) { return static_cast<std::uint8_t>(digit); };
      grammar_.edge(from, byte(first), byte(last), node_at(place + 1, at_least, by_most && last == high));
    }
  }

  [[nodiscard]] bool is_within(std::size_t place, bool by_least, bool by_most) const {
    if (by_least && (!least_.is_zero_from(place) || least_.exclusive)) return false;
    return !by_most || !most_->exclusive || !most_->is_zero_from(place);
  }

  [[nodiscard]] std::size_t most_fraction() const {
    const std::size_t of_bounds = std::max(least_.fraction.size(), most_ ? most_->fraction.size() : 0);
    const std::size_t left = size_ < most_digits ? most_digits - size_ : 0;
    return std::max(of_bounds, left);
  }

  Grammar& grammar_;
  bool integer_;
  Digits least_;
  std::optional<Digits> most_;
  int to_;
  std::size_t size_ = 0;  // digits before the point
  std::map<std::tuple<std::size_t, bool, bool>, int> nodes_;
};

/// Adds a digit, then `more` at most.
int add_digits(Grammar& grammar, int from, char first, int more) {
  const int to = grammar.add_node();
  int node = grammar.edge(from, static_cast<std::uint8_t>(first), '9');
  for (int i = 0; i < more; ++i) {
    grammar.jump(node, to);
    node = grammar.edge(node, '0', '9');
  }
  grammar.jump(node, to);
  return to;
}

int add_any_number(Grammar& grammar, int from, bool integer) {
  const int sign = grammar.add_node(), whole = grammar.add_node();
  grammar.jump(from, sign);
  grammar.edge(from, '-', '-', sign);
  grammar.edge(sign, '0', '0', whole);
  grammar.jump(add_digits(grammar, sign, '1', (integer ? most_integer_digits : most_digits) - 1), whole);
  if (integer) return whole;
  const int fraction = grammar.add_node(), to = grammar.add_node();
  grammar.jump(whole, fraction);
  grammar.jump(add_digits(grammar, grammar.edge(whole, '.', '.'), '0', most_digits - 1), fraction);
  grammar.jump(fraction, to);
  const int power = grammar.add_node(), digits = grammar.add_node();
  grammar.edge(fraction, 'e', 'e', power);
  grammar.edge(fraction, 'E', 'E', power);
  grammar.edge(power, '+', '+', digits);
  grammar.edge(power, '-', '-', digits);
  grammar.jump(power, digits);
  grammar.jump(add_digits(grammar, digits, '0', 1), to);
  return to;
}

}  // namespace

int add_number(Grammar& grammar, int from, const NumberBounds& bounds) {
  if (!bounds.least && !bounds.most) return add_any_number(grammar, from, bounds.integer);
  const int to = grammar.add_node();
  const Digits zero{"0", ""};
  const bool least_is_negative = bounds.least && is_negative(bounds.least->number);
  const bool most_is_negative = bounds.most && is_negative(bounds.most->number);
  if (!most_is_negative) {
    const Digits least = bounds.least && !least_is_negative ? digits_of(*bounds.least) : zero;
    const auto most = bounds.most ? std::optional(digits_of(*bounds.most)) : std::nullopt;
    Magnitudes(grammar, bounds.integer, least, most, to).spell(from);
  }
  if (!bounds.least || least_is_negative) {
    const Digits least = most_is_negative ? digits_of(*bounds.most) : Digits{"0", "", true};
    const auto most = bounds.least ? std::optional(digits_of(*bounds.least)) : std::nullopt;
    Magnitudes(grammar, bounds.integer, least, most, to).spell(grammar.edge(from, '-', '-'));
  }
  return to;
}

}  // namespace layerboost
