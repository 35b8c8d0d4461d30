// Filters of lists and dicts as a whole.
#include <algorithm>
#include <functional>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

Value size_value(std::size_t size) { return Value::integer(static_cast<std::int64_t>(size)); }

// What `sort`, `min`, `unique` ... compare: an attribute, without regard to case unless asked for.
std::vector<std::pair<Value, Value>> with_keys(const Value& value, const Value* attribute,
                                               const Value* case_sensitive) {
  std::vector<Value> items = items_of(value);
  charge_values(2 * items.size());
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : items) {
    Value key = attribute != nullptr && !attribute->is(Kind::none) ? attribute_of(item, *attribute) : item;
    if (key.is(Kind::string) && !(case_sensitive != nullptr && truth(*case_sensitive)))
      key = Value::text(with_case(key.as_text(), LetterCase::lower));
    keyed.emplace_back(std::move(key), std::move(item));
  }
  return keyed;
}

/// The items in the order of their keys; equal ones stay as they are.
Value sorted_list(std::vector<std::pair<Value, Value>> keyed, const Value* reverse) {
  const bool down = reverse != nullptr && truth(*reverse);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return down ? less(b.first, a.first) : less(a.first, b.first);
  });
  std::vector<Value> sorted;
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return Value::list(std::move(sorted));
}

Value pair_value(const Value& first, const Value& second) { return Value::list({first, second}, Form::tuple); }

Value length_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("length", 0);
  switch (value.kind()) {
    case Kind::undefined:
      return size_value(0);
    case Kind::string:
      return size_value(length_of(value.as_text()));
    case Kind::list:
      if (value.is_lazy()) reject("length: a generator has none; add \"| list\"");
      return size_value(value.as_list().size());
    case Kind::dict:
      return size_value(value.as_dict().size());
    default:
      reject("length: a {} has none", name_of(value.kind()));
  }
}

Value first_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("first", 0);
  if (value.is(Kind::string) && !value.as_text().empty()) return item_of(value, Value::integer(0));
  const std::vector<Value> items = items_of(value);
  return items.empty() ? Value::undefined("the first item of an empty list") : items.front();
}

Value last_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("last", 0);
  if (value.is(Kind::string) && !value.as_text().empty()) return item_of(value, Value::integer(-1));
  const std::vector<Value> items = items_of(value);
  return items.empty() ? Value::undefined("the last item of an empty list") : items.back();
}

Value join_filter(Context& context, const Value& value, const Arguments& arguments) {
  arguments.check("join", 2, {"d", "attribute"});
  const Value* const given = arguments.find(0, "d");
  const Value* const attribute = arguments.find(1, "attribute");
  std::vector<Value> items = items_of(value);
  bool markup = given != nullptr && given->is_markup();
  for (Value& item : items) {
    if (attribute != nullptr && !attribute->is(Kind::none)) item = attribute_of(item, *attribute);
    markup = markup || item.is_markup();
  }
  markup = markup && context.escaping;
  const auto text_of = [&](const Value& part) {
    return markup && !part.is_markup() ? escape_html(to_text(part)) : to_text(part);
  };
  const std::string separator = given != nullptr ? text_of(*given) : "";
  std::string out;
  bool first = true;
  for (const Value& item : items) {
    if (!first) out += separator;
    first = false;
    charge_copy(separator.size());
    out += text_of(item);
    if (out.size() > Value::max_weight) reject("join: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out), markup);
}

Value list_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("list", 0);
  return Value::list(items_of(value));
}

Value items_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("items", 0);
  if (value.is(Kind::undefined)) return Value::list({}, Form::lazy);
  if (!value.is(Kind::dict)) reject("items: a {} has none", name_of(value.kind()));
  std::vector<Value> pairs;
  for (const auto& [key, held] : value.as_dict()) pairs.push_back(pair_value(key, held));
  return Value::list(std::move(pairs), Form::lazy);
}

Value dictsort_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("dictsort", 3, {"case_sensitive", "by", "reverse"});
  if (!value.is(Kind::dict)) reject("dictsort: a {} is not a dict", name_of(value.kind()));
  const Value* const by = arguments.find(1, "by");
  const std::string which = by == nullptr ? "key" : to_text(*by);
  if (which != "key" && which != "value") reject("dictsort: \"by\" must be \"key\" or \"value\"");
  std::vector<Value> pairs;
  for (const auto& [key, held] : value.as_dict()) pairs.push_back(pair_value(key, held));
  const Value position = Value::integer(which == "key" ? 0 : 1);
  return sorted_list(with_keys(Value::list(std::move(pairs)), &position, arguments.find(0, "case_sensitive")),
                     arguments.find(2, "reverse"));
}

Value sort_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("sort", 3, {"reverse", "case_sensitive", "attribute"});
  return sorted_list(with_keys(value, arguments.find(2, "attribute"), arguments.find(1, "case_sensitive")),
                     arguments.find(0, "reverse"));
}

Value unique_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("unique", 2, {"case_sensitive", "attribute"});
  std::vector<Value> keys;
  std::vector<Value> chosen;
  for (auto& [key, item] : with_keys(value, arguments.find(1, "attribute"), arguments.find(0, "case_sensitive"))) {
    if (std::any_of(keys.begin(), keys.end(), [&, &wanted = key](const Value& known) { return equal(known, wanted); }))
      continue;
    keys.push_back(std::move(key));
    chosen.push_back(std::move(item));
  }
  return Value::list(std::move(chosen), Form::lazy);
}

template <bool largest>
Value extreme_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check(largest ? "max" : "min", 2, {"case_sensitive", "attribute"});
  const auto keyed = with_keys(value, arguments.find(1, "attribute"), arguments.find(0, "case_sensitive"));
  if (keyed.empty()) return Value::undefined("the extreme of an empty list");
  const auto* best = &keyed.front();
  for (const auto& one : keyed)
    if (largest ? less(best->first, one.first) : less(one.first, best->first)) best = &one;
  return best->second;
}

Value sum_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("sum", 2, {"attribute", "start"});
  const Value* const attribute = arguments.find(0, "attribute");
  const Value* const start = arguments.find(1, "start");
  Value total = start != nullptr ? *start : Value::integer(0);
  for (const Value& item : items_of(value))
    total = calculate("+", total,
                      attribute != nullptr && !attribute->is(Kind::none) ? attribute_of(item, *attribute) : item);
  return total;
}

Value reverse_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("reverse", 0);
  std::vector<Value> items = items_of(value);
  std::reverse(items.begin(), items.end());
  if (!value.is(Kind::string)) return Value::list(std::move(items), Form::lazy);
  std::string text;
  for (const Value& character : items) text += character.as_text();
  return Value::text(std::move(text));
}

Value batch_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("batch", 2, {"linecount", "fill_with"});
  const Value* const size = arguments.find(0, "linecount");
  if (size == nullptr || !size->is_integer() || size->as_integer() < 1) reject("batch needs a number of items");
  const auto count = static_cast<std::size_t>(size->as_integer());
  const Value* const filling = arguments.find(1, "fill_with");
  std::vector<Value> batches;
  std::vector<Value> current;
  for (Value& item : items_of(value)) {
    current.push_back(std::move(item));
    if (current.size() == count) batches.push_back(Value::list(std::exchange(current, {})));
  }
  if (!current.empty()) {
    if (filling != nullptr && !filling->is(Kind::none)) {
      charge_values(std::min(count, Value::max_weight));
      current.resize(std::min(count, Value::max_weight), *filling);
    }
    batches.push_back(Value::list(std::move(current)));
  }
  return Value::list(std::move(batches), Form::lazy);
}

}  // namespace

FilterTable list_filters() {
  return {{"length", length_filter}, {"count", length_filter},       {"first", first_filter},
          {"last", last_filter},     {"join", join_filter},          {"list", list_filter},
          {"items", items_filter},   {"dictsort", dictsort_filter},  {"sort", sort_filter},
          {"unique", unique_filter}, {"min", extreme_filter<false>}, {"max", extreme_filter<true>},
          {"sum", sum_filter},       {"reverse", reverse_filter},    {"batch", batch_filter}};
}

}  // namespace layerboost::jinja
