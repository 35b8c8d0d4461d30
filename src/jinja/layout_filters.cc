// Filters that lay values out: lists in columns, addresses, sizes of files.
#include <algorithm>
#include <cmath>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

// Cuts a list into as many as asked for, their lengths as equal as can be.
Value slice_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("slice", 2, {"slices", "fill_with"});
  const Value* const given = arguments.find(0, "slices");
  if (given == nullptr || !given->is_integer() || given->as_integer() < 1) reject("slice needs a number of lists");
  const Value* const filling = arguments.find(1, "fill_with");
  const std::vector<Value> items = items_of(value);
  const auto count = static_cast<std::size_t>(given->as_integer());
  if (count > Value::max_weight) reject("slice: more than {} lists", Value::max_weight);
  const std::size_t length = items.size() / count, longer = items.size() % count;
  charge_values(count);
  std::vector<Value> slices;
  std::size_t start = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = start + length + (i < longer ? 1 : 0);
    std::vector<Value> slice(items.begin() + static_cast<std::ptrdiff_t>(start),
                             items.begin() + static_cast<std::ptrdiff_t>(end));
    if (filling != nullptr && !filling->is(Kind::none) && i >= longer) slice.push_back(*filling);
    slices.push_back(Value::list(std::move(slice)));
    start = end;
  }
  return Value::list(std::move(slices), Form::lazy);
}

// urllib.parse.quote(): what isn't a letter, a digit or one of "_.-~" as %XX; of a path "/" stays, in a query a space
// is "+".
std::string quoted_for_address(const std::string& text, bool in_query) {
  constexpr std::size_t cost = 8;
  charge(cost * text.size());
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !in_query);
    if (plain)
      out += c;
    else if (c == ' ' && in_query)
      out += '+';
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Value urlencode_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("urlencode", 0);
  if (!value.is(Kind::dict) && !value.is(Kind::list)) return Value::text(quoted_for_address(to_text(value), false));
  std::vector<std::pair<Value, Value>> pairs;
  if (value.is(Kind::dict)) {
    pairs = value.as_dict();
  } else {
    for (const Value& item : value.as_list()) {
      const std::vector<Value> parts = items_of(item);
      if (parts.size() != 2) reject("urlencode: a list must be of pairs");
      pairs.emplace_back(parts[0], parts[1]);
    }
  }
  std::string out;
  for (const auto& [key, held] : pairs) {
    if (!out.empty()) out += '&';
    out += quoted_for_address(to_text(key), true) + '=' + quoted_for_address(to_text(held), true);
    if (out.size() > Value::max_weight) reject("urlencode: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out));
}

Value filesizeformat_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("filesizeformat", 1, {"binary"});
  const Value* const flag = arguments.find(0, "binary");
  const bool binary = flag != nullptr && truth(*flag);
  if (!value.is_number()) reject("filesizeformat: a {} is not a number", name_of(value.kind()));
  const double base = binary ? 1024 : 1000, bytes = value.as_real();
  if (bytes == 1) return Value::text("1 Byte");
  if (bytes < base) return Value::text(fmt::format("{:.0f} Bytes", std::trunc(bytes)));
  constexpr std::string_view units = "kMGTPEZY";
  double unit = base;
  std::size_t i = 0;
  for (; i + 1 < units.size() && bytes >= unit * base; ++i) unit *= base;
  const std::string prefix = binary && i == 0 ? "K" : std::string(1, units[i]);
  return Value::text(fmt::format("{:.1f} {}{}", bytes / unit, prefix, binary ? "iB" : "B"));
}

Value xmlattr_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("xmlattr", 1, {"autospace"});
  if (!value.is(Kind::dict)) reject("xmlattr: a {} is not a dict", name_of(value.kind()));
  const Value* const space = arguments.find(0, "autospace");
  std::string out;
  for (const auto& [key, held] : value.as_dict()) {
    if (held.is(Kind::none) || held.is(Kind::undefined)) continue;
    const std::string name = to_text(key);
    if (name.find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      reject("xmlattr: a name with \" \", \"/\", \">\" or \"=\"");
    if (!out.empty() || space == nullptr || truth(*space)) out += ' ';
    out += escape_html(name) + "=\"" + escape_html(to_text(held)) + '"';
    if (out.size() > Value::max_weight) reject("xmlattr: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out));
}

}  // namespace

FilterTable layout_filters() {
  return {{"slice", slice_filter},
          {"urlencode", urlencode_filter},
          {"filesizeformat", filesizeformat_filter},
          {"xmlattr", xmlattr_filter}};
}

}  // namespace layerboost::jinja
