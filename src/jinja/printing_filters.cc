// The filter `pprint`: Python's pprint.pformat(). What fits into 80 columns is one line, else each item has its own.
#include <algorithm>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::size_t columns = 80;

class PrettyPrinter {
 public:
  /// `indent`: columns before the value; `allowance`: those that brackets behind it take.
  void print(const Value& value, std::size_t indent, std::size_t allowance) {
    const std::string line = to_repr(value);
    const std::size_t room = columns - std::min(columns, indent + allowance);
    const bool holds_others = value.is(Kind::list) || value.is(Kind::dict);
    if (!holds_others || length_of(line) <= room) {
      out_ += line;
    } else if (value.is(Kind::dict)) {
      print_items(value.as_dict(), "{", "}", indent, allowance);
    } else {
      const bool tuple = value.form() == Form::tuple;
      const bool single = tuple && value.as_list().size() == 1;
      print_items(value.as_list(), tuple ? "(" : "[", single ? ",)" : tuple ? ")" : "]", indent, allowance);
    }
    if (out_.size() > Value::max_weight) reject("pprint: a text of more than {} bytes", Value::max_weight);
  }

  std::string take() { return std::move(out_); }

  /// The value with the keys of its dicts, and of those inside of it, in order where they have one.
  static Value in_order(const Value& value) {
    if (value.is(Kind::list)) {
      std::vector<Value> items;
      for (const Value& item : value.as_list()) items.push_back(in_order(item));
      return Value::list(std::move(items), value.form());
    }
    if (!value.is(Kind::dict)) return value;
    std::vector<std::pair<Value, Value>> items;
    for (const auto& [key, held] : value.as_dict()) items.emplace_back(key, in_order(held));
    const auto kind_of = [](const Value& key) { return key.is_number() ? Kind::integer : key.kind(); };
    std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
      if (kind_of(a.first) != kind_of(b.first)) return kind_of(a.first) < kind_of(b.first);
      return (a.first.is_number() || a.first.is(Kind::string)) && less(a.first, b.first);
    });
    return Value::dict(std::move(items));
  }

 private:
  void print_item(const Value& item, std::size_t indent, std::size_t allowance) { print(item, indent, allowance); }
  void print_item(const std::pair<Value, Value>& item, std::size_t indent, std::size_t allowance) {
    const std::string key = to_repr(item.first);
    out_ += key + ": ";
    print(item.second, indent + length_of(key) + 2, allowance);
  }

  template <typename Items>
  void print_items(const Items& items, std::string_view open, std::string_view close, std::size_t indent,
                   std::size_t allowance) {
    out_ += open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) {
        charge(indent);
        out_ += ",\n" + std::string(indent + 1, ' ');
      }
      print_item(items[i], indent + 1, i + 1 == items.size() ? allowance + close.size() : 1);
    }
    out_ += close;
  }

  std::string out_;
};

Value pprint_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("pprint", 0);
  PrettyPrinter printer;
  printer.print(PrettyPrinter::in_order(value), 0, 0);
  return Value::text(printer.take());
}

}  // namespace

FilterTable printing_filters() { return {{"pprint", pprint_filter}}; }

}  // namespace layerboost::jinja
