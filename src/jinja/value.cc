#include "jinja/value.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "jinja/big_integer.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::size_t object_cost = 32;   // of taking memory for a text, list or dict, and giving it back
constexpr std::size_t object_bytes = 96;  // of one, beside what it holds
constexpr std::size_t compare_cost = 4;

}  // namespace

void Extent::add(const Value& child) {
  depth = std::max(depth, child.depth() + 1);
  weight += child.weight();
  if (depth > Value::max_depth) reject("lists and dicts nest deeper than {}", Value::max_depth);
  if (weight > Value::max_weight) reject("a list or dict of more than {} values and bytes", Value::max_weight);
}

Value Value::undefined(std::string_view name) {
  constexpr std::size_t longest = 200;
  return Value(Data(std::make_shared<const std::string>(name.substr(0, longest))));
}

Value Value::text(std::string value, bool markup) {
  if (value.size() > max_weight) reject("a text of more than {} bytes", max_weight);
  charge(object_cost);
  charge_copy(value.size());
  Held held(object_bytes + value.size());
  return Value(Data(std::make_shared<const Text>(Text{std::move(value), markup, std::move(held)})));
}

Value Value::big_integer(std::string digits) {
  charge(object_cost);
  Held held(object_bytes + digits.size());
  return Value(Data(std::make_shared<const BigInteger>(BigInteger{std::move(digits), std::move(held)})));
}

Value Value::list(std::vector<Value> items, Form form) {
  charge(object_cost);
  charge_values(items.size());
  Held held(object_bytes + items.capacity() * sizeof(Value));
  Extent extent;
  for (const Value& item : items) extent.add(item);
  return Value(Data(std::make_shared<const List>(List{std::move(items), form, extent, std::move(held)})));
}

Value Value::dict(std::vector<std::pair<Value, Value>> items) {
  charge(object_cost);
  charge_values(2 * items.size());
  Held held(object_bytes + items.capacity() * 2 * sizeof(Value));
  Extent extent;
  for (const auto& [key, value] : items) {
    extent.add(key);
    extent.add(value);
  }
  return Value(Data(std::make_shared<const Dict>(Dict{std::move(items), extent, std::move(held)})));
}

Value Value::callable(Callable value) { return Value(Data(std::make_shared<const Callable>(std::move(value)))); }

Value Value::from_json(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return integer(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      return number <= INT64_MAX ? integer(static_cast<std::int64_t>(number)) : big_integer(std::to_string(number));
    }
    case Json::value_t::number_float:
      return real(json.get<double>());
    case Json::value_t::string:
      return text(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(from_json(item));
      return list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      items.reserve(json.size());
      for (const auto& [key, value] : json.items()) items.emplace_back(text(key), from_json(value));
      return dict(std::move(items));
    }
    default:
      return none();
  }
}

const std::string& Value::undefined_name() const {
  static const std::string unnamed;
  const auto& name = std::get<0>(data_);
  return name ? *name : unnamed;
}

std::int64_t Value::as_integer() const {
  return is(Kind::boolean) ? static_cast<std::int64_t>(as_boolean()) : std::get<std::int64_t>(data_);
}

double Value::as_real() const {
  if (!is(Kind::big)) return is(Kind::real) ? std::get<double>(data_) : static_cast<double>(as_integer());
  const double real = std::strtod(as_digits().c_str(), nullptr);
  if (!std::isfinite(real)) reject("an integer too large for a float");
  return real;
}

const std::string& Value::as_digits() const { return std::get<std::shared_ptr<const BigInteger>>(data_)->digits; }

const std::string& Value::as_text() const { return std::get<std::shared_ptr<const Text>>(data_)->content; }

bool Value::is_markup() const { return is(Kind::string) && std::get<std::shared_ptr<const Text>>(data_)->markup; }

const std::vector<Value>& Value::as_list() const { return std::get<std::shared_ptr<const List>>(data_)->items; }

Form Value::form() const { return std::get<std::shared_ptr<const List>>(data_)->form; }

const std::vector<std::pair<Value, Value>>& Value::as_dict() const {
  return std::get<std::shared_ptr<const Dict>>(data_)->items;
}

const Value* Value::find(const Value& key) const {
  if (is(Kind::name_space)) return key.is(Kind::string) ? find(key.as_text()) : nullptr;
  if (!is(Kind::dict)) return nullptr;
  for (const auto& [name, value] : as_dict())
    if (equal(name, key)) return &value;  // which charges for each
  return nullptr;
}

const Value* Value::find(std::string_view key) const {
  if (is(Kind::name_space)) {
    for (const auto& [name, value] : as_namespace().members)
      if (same_text(name, key)) return &value;
  } else if (is(Kind::callable)) {
    for (const auto& [name, value] : as_callable().attributes)
      if (same_text(name, key)) return &value;
  } else if (is(Kind::dict)) {
    for (const auto& [name, value] : as_dict())
      if (name.is(Kind::string) && same_text(name.as_text(), key)) return &value;
  }
  return nullptr;
}

int Value::depth() const {
  if (is(Kind::list)) return std::get<std::shared_ptr<const List>>(data_)->extent.depth;
  if (is(Kind::dict)) return std::get<std::shared_ptr<const Dict>>(data_)->extent.depth;
  return 0;
}

std::size_t Value::weight() const {
  if (is(Kind::string)) return 1 + as_text().size();
  if (is(Kind::big)) return 1 + as_digits().size();
  if (is(Kind::list)) return std::get<std::shared_ptr<const List>>(data_)->extent.weight;
  if (is(Kind::dict)) return std::get<std::shared_ptr<const Dict>>(data_)->extent.weight;
  return 1;
}

void Namespace::set(const std::string& name, Value value) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& member) { return same_text(member.first, name); });
  if (found == members.end())
    members.emplace_back(name, std::move(value));
  else
    found->second = std::move(value);
}

const Value* Arguments::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  if (name.empty()) return nullptr;
  for (const auto& [given, value] : named)
    if (given == name) return &value;
  return nullptr;
}

void Arguments::check(std::string_view callee, std::size_t most, std::initializer_list<std::string_view> names) const {
  if (positional.size() > most) reject("{} takes at most {} arguments, not {}", callee, most, positional.size());
  for (const auto& [given, value] : named) {
    if (std::find(names.begin(), names.end(), given) == names.end())
      reject("{} has no argument called \"{}\"", callee, given);
  }
}

std::string_view name_of(Kind kind) {
  constexpr std::string_view names[] = {"undefined", "none", "boolean", "integer",   "integer", "float",
                                        "string",    "list", "dict",    "namespace", "function"};
  return names[static_cast<std::size_t>(kind)];
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_integer() != 0;
    case Kind::real:
      return value.as_real() != 0;
    case Kind::string:
      return !value.as_text().empty();
    case Kind::list:
      return value.is_lazy() || !value.as_list().empty();
    case Kind::dict:
      return !value.as_dict().empty();
    default:
      return true;
  }
}

bool same_text(std::string_view a, std::string_view b) {
  charge(compare_cost);
  if (a.size() != b.size()) return false;
  charge(a.size() / 8);
  return a == b;
}

bool equal(const Value& a, const Value& b) {
  charge(compare_cost);
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.as_integer() == b.as_integer();
    if (a.is_any_integer() && b.is_any_integer()) return a.is(b.kind()) && same_text(a.as_digits(), b.as_digits());
    return a.as_real() == b.as_real();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::string:
      return same_text(a.as_text(), b.as_text());
    case Kind::list:
      return a.form() == b.form() &&
             std::equal(a.as_list().begin(), a.as_list().end(), b.as_list().begin(), b.as_list().end(), equal);
    case Kind::dict: {
      const auto& items = a.as_dict();
      return items.size() == b.as_dict().size() && std::all_of(items.begin(), items.end(), [&](const auto& item) {
               const Value* const other = b.find(item.first);
               return other != nullptr && equal(item.second, *other);
             });
    }
    case Kind::name_space:
      return &a.as_namespace() == &b.as_namespace();
    case Kind::callable:
      return &a.as_callable() == &b.as_callable();
    default:
      return true;  // undefined, none
  }
}

bool less(const Value& a, const Value& b) {
  charge(compare_cost);
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.as_integer() < b.as_integer();
    return a.is_any_integer() && b.is_any_integer() ? compare_big(a, b) < 0 : a.as_real() < b.as_real();
  }
  if (a.is(Kind::string) && b.is(Kind::string)) {
    charge(std::min(a.as_text().size(), b.as_text().size()) / 8);
    return a.as_text() < b.as_text();
  }
  if (a.is(Kind::list) && b.is(Kind::list))
    return std::lexicographical_compare(a.as_list().begin(), a.as_list().end(), b.as_list().begin(), b.as_list().end(),
                                        less);
  reject("can't compare {} with {}", name_of(a.kind()), name_of(b.kind()));
}

std::string to_text(const Value& value) {
  if (value.is(Kind::string)) {
    charge_copy(value.as_text().size());
    return value.as_text();
  }
  if (value.is(Kind::undefined)) return "";
  return to_repr(value);
}

std::vector<Value> items_of(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return {};
    case Kind::list:
      charge_values(value.as_list().size());
      return value.as_list();
    case Kind::string: {
      std::vector<Value> characters;
      for (const std::string_view character : CodePoints(value.as_text()))
        characters.push_back(Value::text(std::string(character)));
      return characters;
    }
    case Kind::dict: {
      charge_values(value.as_dict().size());
      std::vector<Value> keys;
      for (const auto& [key, unused] : value.as_dict()) keys.push_back(key);
      return keys;
    }
    default:
      reject("{} is not a list: it can't be gone through", name_of(value.kind()));
  }
}

}  // namespace layerboost::jinja
