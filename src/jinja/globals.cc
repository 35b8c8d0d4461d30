// Functions that templates find defined.
#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::int64_t most_in_range = 100000;  // as in Jinja's sandbox
constexpr std::size_t number_cost = 32;         // of one in a range, in units of charge()
constexpr std::size_t namespace_bytes = 256;

Value range(Context&, const Arguments& arguments) {
  arguments.check("range", 3);
  if (arguments.positional.empty()) reject("range needs a number");
  for (const Value& bound : arguments.positional)
    if (!bound.is_integer()) reject("range needs integers, not a {}", name_of(bound.kind()));
  const auto bound = [&](std::size_t i) { return arguments.positional[i].as_integer(); };
  const bool from_zero = arguments.positional.size() == 1;
  const std::int64_t start = from_zero ? 0 : bound(0), stop = from_zero ? bound(0) : bound(1);
  const std::int64_t step = arguments.positional.size() == 3 ? bound(2) : 1;
  if (step == 0) reject("range: the step must not be 0");
  std::vector<Value> numbers;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (static_cast<std::int64_t>(numbers.size()) == most_in_range)
      reject("range: more than {} numbers", most_in_range);
    charge(number_cost);
    numbers.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value::list(std::move(numbers));
}

void set_entry(std::vector<std::pair<Value, Value>>& entries, const Value& key, const Value& value) {
  const auto known =
      std::find_if(entries.begin(), entries.end(), [&](const auto& item) { return equal(item.first, key); });
  if (known != entries.end())
    known->second = value;
  else
    entries.emplace_back(key, value);
}

std::vector<std::pair<Value, Value>> entries_of(const Arguments& arguments, std::string_view callee) {
  if (arguments.positional.size() > 1) reject("{} takes one dict and names", callee);
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional[0];
    if (given.is(Kind::dict)) {
      entries = given.as_dict();
    } else {
      for (const Value& item : items_of(given)) {
        const std::vector<Value> pair = items_of(item);
        if (pair.size() != 2) reject("{} takes a dict, or a list of pairs", callee);
        set_entry(entries, pair[0], pair[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) {
    set_entry(entries, Value::text(name), value);
  }
  return entries;
}

Value dict(Context&, const Arguments& arguments) { return Value::dict(entries_of(arguments, "dict")); }

Value make_namespace(Context& context, const Arguments& arguments) {
  auto members = std::make_shared<Namespace>();
  for (const auto& [key, value] : entries_of(arguments, "namespace")) members->set(to_text(key), value);
  context.held.add(namespace_bytes);
  context.namespaces.push_back(members);
  return Value::name_space(std::move(members));
}

Value raise_exception(Context&, const Arguments& arguments) {
  const Value* const message = arguments.find(0, "message");
  reject("{}", message != nullptr ? to_text(*message) : "the template refuses");
}

Value strftime_now(Context& context, const Arguments& arguments) {
  const Value* const format = arguments.find(0, "format");
  if (format == nullptr || !format->is(Kind::string)) reject("strftime_now needs a format");
  const std::string& pattern = format->as_text();
  if (pattern.size() > 1000) reject("strftime_now: a format of more than 1000 bytes");
  charge(1000 + 100 * pattern.size());
  std::tm local{};
  localtime_r(&context.now, &local);
  std::string text(pattern.size() * 64 + 64, '\0');
  text.resize(std::strftime(text.data(), text.size(), pattern.c_str(), &local));
  return Value::text(std::move(text));
}

// cycler(a, b): next() gives one after another, `current` is the one that next() will give.
Value cycler(Context& context, const Arguments& arguments) {
  arguments.check("cycler", Value::max_weight);
  if (arguments.positional.empty()) reject("cycler needs values");
  Value made = make_namespace(context, {});
  Namespace* const cycle = &made.as_namespace();  // which the context keeps
  const std::vector<Value> items = arguments.positional;
  const auto at = std::make_shared<std::size_t>(0);
  const auto put = [cycle, items, at](std::size_t next) {
    *at = next % items.size();
    cycle->set("current", items[*at]);
  };
  put(0);
  cycle->set("next", Value::callable({"next", [items, at, put](Context&, const Arguments&) {
                                        Value item = items[*at];
                                        put(*at + 1);
                                        return item;
                                      }}));
  cycle->set("reset", Value::callable({"reset", [put](Context&, const Arguments&) {
                                         put(0);
                                         return Value::none();
                                       }}));
  return made;
}

// joiner(", "): nothing at its first call, then the text.
Value joiner(Context&, const Arguments& arguments) {
  arguments.check("joiner", 1, {"sep"});
  const Value* const given = arguments.find(0, "sep");
  const Value separator = given != nullptr ? *given : Value::text(", ");
  return Value::callable({"joiner", [separator, used = std::make_shared<bool>(false)](Context&, const Arguments&) {
                            return std::exchange(*used, true) ? separator : Value::text("");
                          }});
}

}  // namespace

std::vector<std::pair<std::string, Value>> global_functions() {
  std::vector<std::pair<std::string, Value>> all;
  const auto add = [&](const char* name, Value (*function)(Context&, const Arguments&)) {
    all.emplace_back(name, Value::callable({name, function}));
  };
  add("range", range);
  add("dict", dict);
  add("namespace", make_namespace);
  add("cycler", cycler);
  add("joiner", joiner);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  return all;
}

}  // namespace layerboost::jinja
