// Functions that templates find defined, and Python's "%".
#include <algorithm>
#include <cstdio>
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

// `field` is a conversion of printf() that fits T; its width has at most four digits.
template <typename T>
std::string formatted_number(const std::string& field, T number) {
  std::vector<char> buffer(12000);
  charge(buffer.size() / 8);
  const int length = std::snprintf(buffer.data(), buffer.size(), field.c_str(), number);
  LB_CHECK(length >= 0 && length < static_cast<int>(buffer.size()));
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

// A text in a field such as "%-5" or "%.2".
std::string padded(std::string text, const std::string& field) {
  if (field == "%") return text;
  const std::size_t point = field.find('.');
  const std::string_view width_part = std::string_view(field).substr(1, point == std::string::npos ? point : point - 1);
  const std::size_t first = std::min(width_part.find_first_of("123456789"), width_part.size());
  const std::size_t width = first < width_part.size() ? std::stoul(std::string(width_part.substr(first))) : 0;
  if (point != std::string::npos) {
    const std::size_t most = point + 1 < field.size() ? std::stoul(field.substr(point + 1)) : 0;
    std::string cut;
    std::size_t count = 0;
    for (const std::string_view character : CodePoints(text)) {
      if (count++ == most) break;
      cut += character;
    }
    text = std::move(cut);
  }
  const std::size_t length = length_of(text);
  const std::string padding(width > length ? width - length : 0, ' ');
  return width_part.substr(0, first).find('-') != std::string_view::npos ? text + padding : padding + text;
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

std::string format_percent(const std::string& format, const Value& given) {
  const bool tuple = given.is(Kind::list) && given.form() == Form::tuple;
  const std::vector<Value> arguments = tuple ? given.as_list() : std::vector{given};
  std::string out;
  std::size_t next = 0;
  bool by_name = false;
  charge(4 * format.size());
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const Value* named = nullptr;  // of "%(name)s"
    if (format.substr(i + 1, 1) == "(") {
      const std::size_t close = format.find(')', i);
      if (close == std::string::npos) reject("%: \"(\" without \")\"");
      const std::string name = format.substr(i + 2, close - i - 2);
      named = given.is(Kind::dict) ? given.find(name) : nullptr;
      if (named == nullptr) reject("%: no value for a name in the format");
      by_name = true;
      i = close;
    }
    const std::size_t end = format.find_first_not_of("0123456789.-+ #", i + 1);
    if (end == std::string::npos) reject("%: the format ends inside of a field");
    const std::string field = "%" + format.substr(i + 1, end - i - 1);  // "%5.2"
    if (field.size() > 5) reject("%: a field of more than 5 characters");
    i = end;
    if (format[end] == '%') {
      out += '%';
      continue;
    }
    if (named == nullptr && next == arguments.size()) reject("%: too few values for the format");
    const Value& value = named != nullptr ? *named : arguments[next++];
    const char type = format[end];
    if (type == 's' || type == 'r') {
      out += padded(type == 's' ? to_text(value) : to_repr(value), field);
    } else if (std::string_view("dixX").find(type) != std::string_view::npos && value.is_number()) {
      const long long number = value.is_integer() ? value.as_integer() : static_cast<long long>(value.as_real());
      out += formatted_number(field + "ll" + type, number);
    } else if (std::string_view("feEgG").find(type) != std::string_view::npos && value.is_number()) {
      out += formatted_number(field + type, value.as_real());
    } else {
      reject("%{}: not possible with a {}", type, name_of(value.kind()));
    }
    if (out.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
  }
  if (next < arguments.size() && !by_name && !given.is(Kind::dict)) reject("%: too many values for the format");
  return out;
}

}  // namespace layerboost::jinja
