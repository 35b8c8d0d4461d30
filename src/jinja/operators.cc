#include <algorithm>
#include <cmath>
#include <limits>

#include "jinja/big_integer.h"
#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

[[noreturn]] void reject_operands(std::string_view op, const Value& left, const Value& right) {
  reject("{} {} {}: not possible", name_of(left.kind()), op, name_of(right.kind()));
}

Value calculate_integers(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = op == "**";
  if (op == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (op == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (op == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (op == "//" || op == "%" || op == "/") {
    if (b == 0) reject("division by zero");
    if (op == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b));
    overflow = b == -1 && a == std::numeric_limits<std::int64_t>::min();
    if (!overflow) {
      // Python rounds down.
      const bool down = a % b != 0 && (a < 0) != (b < 0);
      result = op == "//" ? a / b - (down ? 1 : 0) : a % b + (down ? b : 0);
    }
  }
  if (overflow) return calculate_big(op, Value::integer(a), Value::integer(b));
  return Value::integer(result);
}

Value calculate_reals(std::string_view op, double a, double b) {
  if (op == "+") return Value::real(a + b);
  if (op == "-") return Value::real(a - b);
  if (op == "*") return Value::real(a * b);
  if (op == "**") return Value::real(std::pow(a, b));
  if (b == 0) reject("division by zero");
  if (op == "/") return Value::real(a / b);
  if (op == "//") return Value::real(std::floor(a / b));
  const double rest = std::fmod(a, b);
  return Value::real(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}

Value add_texts(const Value& left, const Value& right) {
  if (left.is_markup() == right.is_markup()) return Value::text(left.as_text() + right.as_text(), left.is_markup());
  return left.is_markup() ? Value::text(left.as_text() + escape_html(right.as_text()), true)
                          : Value::text(escape_html(left.as_text()) + right.as_text(), true);
}

Value repeat(const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  const std::size_t size = value.is(Kind::string) ? value.as_text().size() : value.as_list().size();
  if (size > 0 && count > Value::max_weight / size) reject("a text or list of more than {} items", Value::max_weight);
  if (value.is(Kind::string)) {
    charge(size * count);
    std::string text;
    text.reserve(size * count);
    for (std::size_t i = 0; i < count && size > 0; ++i) text += value.as_text();
    return Value::text(std::move(text), value.is_markup());
  }
  charge_values(size * count);
  std::vector<Value> items;
  items.reserve(size * count);
  for (std::size_t i = 0; i < count && size > 0; ++i)
    items.insert(items.end(), value.as_list().begin(), value.as_list().end());
  return Value::list(std::move(items), value.form());
}

// Characters [first, end) of a text that has as many; none where end <= first.
std::string_view characters_of(std::string_view text, std::int64_t first, std::int64_t end) {
  auto character = CodePoints(text).begin();
  const auto skip = [&](std::int64_t count) {
    std::size_t bytes = 0;
    for (std::int64_t i = 0; i < count; ++i, ++character) bytes += (*character).size();
    return bytes;
  };
  const std::size_t start = skip(first);
  return text.substr(start, skip(end - first));
}

bool contains(const Value& item, const Value& container) {
  switch (container.kind()) {
    case Kind::string:
      if (!item.is(Kind::string)) reject("\"in\" a string needs a string, not a {}", name_of(item.kind()));
      return find_text(container.as_text(), item.as_text()) != std::string::npos;
    case Kind::list: {
      const auto& items = container.as_list();
      return std::any_of(items.begin(), items.end(), [&](const Value& one) { return equal(one, item); });
    }
    case Kind::dict:
    case Kind::name_space:
      return container.find(item) != nullptr;
    case Kind::undefined:
      return false;
    default:
      reject("\"in\" needs a list, a dict or a string, not a {}", name_of(container.kind()));
  }
}

}  // namespace

Value calculate(std::string_view op, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_integer() && right.is_integer()) return calculate_integers(op, left.as_integer(), right.as_integer());
    if (left.is_any_integer() && right.is_any_integer()) return calculate_big(op, left, right);
    return calculate_reals(op, left.as_real(), right.as_real());
  }
  if (op == "+" && left.is(Kind::string) && right.is(Kind::string)) return add_texts(left, right);
  if (op == "+" && left.is(Kind::list) && right.is(Kind::list) && !left.is_lazy() && !right.is_lazy()) {
    charge_values(left.as_list().size() + right.as_list().size());
    std::vector<Value> items = left.as_list();
    items.insert(items.end(), right.as_list().begin(), right.as_list().end());
    return Value::list(std::move(items));
  }
  const auto repeatable = [](const Value& value) { return value.is(Kind::string) || value.is(Kind::list); };
  if (op == "*" && repeatable(left) && right.is_integer()) return repeat(left, right.as_integer());
  if (op == "*" && repeatable(right) && left.is_integer()) return repeat(right, left.as_integer());
  if (op == "%" && left.is(Kind::string)) {
    return Value::text(format_percent(left.as_text(), right));
  }
  reject_operands(op, left, right);
}

bool compare(std::string_view op, const Value& left, const Value& right) {
  if (op == "in") return contains(left, right);
  if (op == "not in") return !contains(left, right);
  if (op == "==") return equal(left, right);
  if (op == "!=") return !equal(left, right);
  if (op == "<") return less(left, right);
  if (op == ">") return less(right, left);
  // Not "not less": NaN is neither.
  if (op == "<=") return less(left, right) || equal(left, right);
  return less(right, left) || equal(left, right);
}

Value item_of(const Value& object, const Value& index) {
  if (object.is(Kind::dict) || object.is(Kind::name_space)) {
    if (const Value* const found = object.find(index)) return *found;
  } else if (index.is_integer() && (object.is(Kind::list) || object.is(Kind::string)) && !object.is_lazy()) {
    const auto size =
        static_cast<std::int64_t>(object.is(Kind::list) ? object.as_list().size() : length_of(object.as_text()));
    const std::int64_t at = index.as_integer() < 0 ? index.as_integer() + size : index.as_integer();
    if (at >= 0 && at < size) {
      if (object.is(Kind::list)) return object.as_list()[static_cast<std::size_t>(at)];
      return Value::text(std::string(characters_of(object.as_text(), at, at + 1)));
    }
  }
  return Value::undefined(index.is(Kind::string) ? index.as_text() : "element " + to_text(index));
}

Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (!object.is(Kind::list) && !object.is(Kind::string)) reject("a {} has no parts [:]", name_of(object.kind()));
  for (const Value* const bound : {&start, &stop, &step})
    if (!bound->is(Kind::none) && !bound->is_integer()) reject("the bounds of [:] must be integers");
  const auto size =
      static_cast<std::int64_t>(object.is(Kind::list) ? object.as_list().size() : length_of(object.as_text()));
  const std::int64_t stride = step.is(Kind::none) ? 1 : step.as_integer();
  if (stride == 0) reject("the step of [::] must not be 0");
  const std::int64_t lowest = stride > 0 ? 0 : -1, highest = stride > 0 ? size : size - 1;
  const auto bound = [&](const Value& value, std::int64_t fallback) {
    if (value.is(Kind::none)) return fallback;
    const std::int64_t given = value.as_integer();
    return std::clamp(given < 0 ? std::max(given, -size - 1) + size : given, lowest, highest);
  };
  const std::int64_t first = bound(start, stride > 0 ? 0 : size - 1), end = bound(stop, stride > 0 ? size : -1);
  if (stride == 1 && object.is(Kind::string))
    return Value::text(std::string(characters_of(object.as_text(), first, end)));
  const std::vector<Value> items = items_of(object);
  std::vector<Value> chosen;
  const std::int64_t reach = std::clamp(stride, -size - 1, size + 1);  // further is all the same
  for (std::int64_t i = first; stride > 0 ? i < end : i > end; i += reach)
    chosen.push_back(items[static_cast<std::size_t>(i)]);
  if (object.is(Kind::list)) return Value::list(std::move(chosen), object.form());
  std::string text;
  for (const Value& character : chosen) text += character.as_text();
  return Value::text(std::move(text));
}

}  // namespace layerboost::jinja
