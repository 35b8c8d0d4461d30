// Filters that apply other filters, tests or attributes to each item of a list.
#include <algorithm>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::size_t item_cost = 64;  // of looking up what is applied to an item, in units of charge()

// The items of a value. As in Jinja's filters, none has no items, like all that counts as false.
std::vector<Value> items_if_any(const Value& value) { return truth(value) ? items_of(value) : std::vector<Value>(); }

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest;
  for (std::size_t i = count; i < arguments.positional.size(); ++i) rest.positional.push_back(arguments.positional[i]);
  return rest;
}

Value map_filter(Context& context, const Value& value, const Arguments& arguments) {
  std::vector<Value> mapped;
  const Value* const attribute = arguments.positional.empty() ? arguments.find(0, "attribute") : nullptr;
  const Value* const fallback = arguments.find(arguments.positional.size(), "default");
  if (attribute == nullptr && arguments.positional.empty()) reject("map needs a filter's name or an attribute");
  Arguments rest = without_first(arguments, 1);
  if (attribute == nullptr) rest.named = arguments.named;
  for (const Value& item : items_if_any(value)) {
    charge(item_cost);
    Value result = attribute != nullptr ? attribute_of(item, *attribute)
                                        : apply_filter(context, to_text(arguments.positional[0]), item, rest);
    if (attribute != nullptr && fallback != nullptr && result.is(Kind::undefined)) result = *fallback;
    mapped.push_back(std::move(result));
  }
  return Value::list(std::move(mapped), Form::lazy);
}

// `attribute`: whether the first argument names what is tested of each item.
Value choose(Context& context, const Value& value, const Arguments& arguments, bool attribute, bool wanted) {
  if (attribute && arguments.positional.empty()) reject("the filter needs an attribute");
  const std::size_t used = attribute ? 1 : 0;
  const bool tested = arguments.positional.size() > used;
  const std::string test = tested ? to_text(arguments.positional[used]) : "";
  const Arguments rest = without_first(arguments, used + 1);
  std::vector<Value> chosen;
  for (const Value& item : items_if_any(value)) {
    charge(item_cost);
    const Value subject = attribute ? attribute_of(item, arguments.positional[0]) : item;
    if ((tested ? apply_test(context, test, subject, rest) : truth(subject)) == wanted) chosen.push_back(item);
  }
  return Value::list(std::move(chosen), Form::lazy);
}

template <bool attribute, bool wanted>
Value choosing_filter(Context& context, const Value& value, const Arguments& arguments) {
  return choose(context, value, arguments, attribute, wanted);
}

Value groupby_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("groupby", 3, {"attribute", "default", "case_sensitive"});
  const Value* const attribute = arguments.find(0, "attribute");
  if (attribute == nullptr) reject("groupby needs an attribute");
  const Value* const fallback = arguments.find(1, "default");
  const Value* const given = arguments.find(2, "case_sensitive");
  const bool with_case_kept = given != nullptr && truth(*given);
  // What an item is grouped by; of texts that differ in case alone a group has the first one's.
  const auto key_of = [&](const Value& item) {
    Value found = attribute_of(item, *attribute);
    return fallback != nullptr && found.is(Kind::undefined) ? *fallback : found;
  };
  const auto folded = [&](const Value& found) {
    if (with_case_kept || !found.is(Kind::string)) return found;
    return Value::text(with_case(found.as_text(), LetterCase::lower));
  };
  std::vector<std::pair<Value, Value>> sorted;
  const std::vector<Value> items = items_of(value);
  charge_values(2 * items.size());
  for (const Value& item : items) sorted.emplace_back(folded(key_of(item)), item);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return less(a.first, b.first); });
  std::vector<Value> groups;
  std::vector<Value> current;
  Value key;
  const auto close = [&] {
    if (current.empty()) return;
    groups.push_back(Value::list({key_of(current.front()), Value::list(std::move(current))}, Form::tuple));
    current.clear();
  };
  for (const auto& [next, item] : sorted) {
    if (!current.empty() && !equal(next, key)) close();
    key = next;
    current.push_back(item);
  }
  close();
  return Value::list(std::move(groups));
}

}  // namespace

Value attribute_of(const Value& value, const Value& path) {
  if (!path.is(Kind::string)) return item_of(value, path);
  Value current = value;
  for (const std::string_view part : split(path.as_text(), ".", -1)) {
    const std::string name(part);
    const bool index = is_index(name);
    current = item_of(current, index ? Value::integer(std::stoi(name)) : Value::text(name));
  }
  return current;
}

FilterTable selecting_filters() {
  return {{"map", map_filter},
          {"select", choosing_filter<false, true>},
          {"reject", choosing_filter<false, false>},
          {"selectattr", choosing_filter<true, true>},
          {"rejectattr", choosing_filter<true, false>},
          {"groupby", groupby_filter}};
}

}  // namespace layerboost::jinja
