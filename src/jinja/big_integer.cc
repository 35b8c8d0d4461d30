#include "jinja/big_integer.h"

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

namespace layerboost::jinja {

namespace {

using Integer = boost::multiprecision::cpp_int;

constexpr std::size_t max_bits = 14285;  // of 4300 digits

[[noreturn]] void reject_size() { reject("an integer of more than {} digits", max_digits); }

// Reading, writing and dividing take time that grows with the square of the digits.
void charge_digits(std::size_t digits) { charge(256 + 16 * digits + digits * digits / 4); }

Integer number_of(const Value& value) {
  if (value.is_integer()) return value.as_integer();
  charge_digits(value.as_digits().size());
  return Integer(value.as_digits());
}

Value value_of(const Integer& number) {
  if (number != 0 && boost::multiprecision::msb(abs(number)) > max_bits) reject_size();
  if (number >= std::numeric_limits<std::int64_t>::min() && number <= std::numeric_limits<std::int64_t>::max())
    return Value::integer(number.convert_to<std::int64_t>());
  std::string digits = number.str();
  if (digits.size() - (number < 0 ? 1 : 0) > max_digits) reject_size();
  charge_digits(digits.size());
  return Value::big_integer(std::move(digits));
}

// a / b, rounded once. Requires: b isn't 0.
double quotient(const Integer& a, const Integer& b) {
  constexpr std::ptrdiff_t bits = 60;  // of the quotient in whole numbers: more than a double has
  if (a == 0) return 0;
  const auto size = [](const Integer& number) { return static_cast<std::ptrdiff_t>(msb(abs(number))); };
  const std::ptrdiff_t shift = bits - size(a) + size(b);
  const Integer up = shift > 0 ? Integer(abs(a) << shift) : Integer(abs(a)),
                down = shift < 0 ? Integer(abs(b) << -shift) : Integer(abs(b));
  Integer whole = up / down;
  if (up % down != 0) whole |= 1;  // so that no tie is seen where there is none
  const double amount = std::ldexp(static_cast<double>(whole.convert_to<std::int64_t>()), static_cast<int>(-shift));
  if (!std::isfinite(amount)) reject("integers too large for a division: use //");
  return (a < 0) != (b < 0) ? -amount : amount;
}

Value power(const Integer& base, const Integer& exponent) {
  if (base == 0 && exponent < 0) reject("division by zero");
  if (exponent < 0) return Value::real(std::pow(value_of(base).as_real(), value_of(exponent).as_real()));
  if (exponent == 0 || base == 1) return Value::integer(1);
  if (base == 0) return Value::integer(0);
  if (base == -1) return Value::integer(exponent % 2 == 0 ? 1 : -1);
  const std::size_t bits = boost::multiprecision::msb(abs(base));
  if (exponent > max_bits || bits * exponent.convert_to<std::size_t>() > max_bits) reject_size();
  charge_digits(bits * exponent.convert_to<std::size_t>() / 3);
  return value_of(boost::multiprecision::pow(base, exponent.convert_to<unsigned>()));
}

}  // namespace

Value integer_of(std::string_view decimal) {
  const bool negative = decimal.starts_with('-');
  if (negative || decimal.starts_with('+')) decimal.remove_prefix(1);
  decimal.remove_prefix(std::min(decimal.find_first_not_of('0'), decimal.size()));
  if (decimal.empty()) return Value::integer(0);
  if (decimal.size() > max_digits) reject_size();
  charge_digits(decimal.size());
  const Integer amount{std::string(decimal)};
  return value_of(negative ? Integer(-amount) : amount);
}

Value integer_of(double number) { return value_of(Integer(std::trunc(number))); }

Value calculate_big(std::string_view op, const Value& left, const Value& right) {
  const Integer a = number_of(left), b = number_of(right);
  if (op == "+") return value_of(a + b);
  if (op == "-") return value_of(a - b);
  if (op == "*") return value_of(a * b);
  if (op == "**") return power(a, b);
  if (b == 0) reject("division by zero");
  if (op == "/") return Value::real(quotient(a, b));
  // Python rounds down.
  const bool down = a % b != 0 && (a < 0) != (b < 0);
  if (op == "//") return value_of(a / b - (down ? 1 : 0));
  return value_of(down ? Integer(a % b + b) : Integer(a % b));
}

int compare_big(const Value& a, const Value& b) { return number_of(a).compare(number_of(b)); }

std::string digits_of(const Value& integer, unsigned base) {
  Integer rest = abs(number_of(integer));
  if (base == 10) return rest.str();
  std::string digits;
  do {
    charge(64 + boost::multiprecision::msb(rest + 1) / 8);
    digits.insert(digits.begin(), "0123456789abcdef"[(rest % base).convert_to<unsigned>()]);
    rest /= base;
  } while (rest != 0);
  return digits;
}

}  // namespace layerboost::jinja
