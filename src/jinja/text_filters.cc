// Filters that take or make single values.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "jinja/dump.h"
#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::int64_t most_padding = 1 << 16;

// Python's int(text, base), spaces around it and underscores allowed.
std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  std::string digits(strip(text, Side::both));
  std::erase(digits, '_');
  if (digits.starts_with('+')) digits.erase(0, 1);
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  const std::string digits(strip(text, Side::both));
  char* stopped = nullptr;
  const double value = std::strtod(digits.c_str(), &stopped);
  if (digits.empty() || *stopped != '\0') return std::nullopt;
  return value;
}

std::int64_t integer_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                              std::int64_t fallback) {
  const Value* const value = arguments.find(index, name);
  if (value == nullptr || value->is(Kind::none)) return fallback;
  if (!value->is_integer()) reject("the argument \"{}\" must be an integer", name);
  return value->as_integer();
}

bool flag_argument(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* const value = arguments.find(index, name);
  return value != nullptr && truth(*value);
}

std::optional<std::string> text_argument(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* const value = arguments.find(index, name);
  if (value == nullptr || value->is(Kind::none)) return std::nullopt;
  return to_text(*value);
}

Value default_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("default", 2, {"default_value", "boolean"});
  if (!value.is(Kind::undefined) && !(flag_argument(arguments, 1, "boolean") && !truth(value))) return value;
  const Value* const fallback = arguments.find(0, "default_value");
  return fallback != nullptr ? *fallback : Value::text("");
}

Value trim_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("trim", 1, {"chars"});
  return Value::text(std::string(strip(to_text(value), Side::both, text_argument(arguments, 0, "chars"))),
                     value.is_markup());
}

template <LetterCase form>
Value case_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("the filter", 0);
  return Value::text(with_case(to_text(value), form), value.is_markup());
}

// Capitalises words. As in Jinja, they begin after white space, "-" and opening brackets.
Value title_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("title", 0);
  const std::string text = to_text(value);
  std::string out;
  bool inside_word = false;
  for (const std::string_view character : CodePoints(text)) {
    const bool between =
        all_are(character, "space") || std::string_view("-({[<").find(character) != std::string_view::npos;
    out += between ? std::string(character) : with_case(character, inside_word ? LetterCase::lower : LetterCase::upper);
    inside_word = !between;
  }
  return Value::text(std::move(out));
}

Value replace_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("replace", 3, {"old", "new", "count"});
  const auto from = text_argument(arguments, 0, "old"), to = text_argument(arguments, 1, "new");
  if (!from || !to) reject("replace needs what to replace and by what");
  return Value::text(replace(to_text(value), *from, *to, integer_argument(arguments, 2, "count", -1)));
}

Value indent_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("indent", 3, {"width", "first", "blank"});
  const Value* const width = arguments.find(0, "width");
  std::string indentation(4, ' ');
  if (width != nullptr && width->is(Kind::string)) {
    indentation = width->as_text();
  } else if (width != nullptr) {
    indentation.assign(
        static_cast<std::size_t>(std::clamp<std::int64_t>(integer_argument(arguments, 0, "width", 4), 0, most_padding)),
        ' ');
  }
  const std::string text = to_text(value) + "\n";  // so that one line end at the end stays
  const bool blank = flag_argument(arguments, 2, "blank");
  const auto lines = split_lines(text, false);
  std::string out = flag_argument(arguments, 1, "first") ? indentation : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      out += '\n';
      if (blank || !lines[i].empty()) out += indentation;
    }
    out += lines[i];
    charge_copy(indentation.size() + lines[i].size());
    if (out.size() > Value::max_weight) reject("indent: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out), value.is_markup());
}

Value tojson_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("tojson", 4, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = flag_argument(arguments, 0, "ensure_ascii");
  style.sort_keys = flag_argument(arguments, 3, "sort_keys");
  const Value* const indent = arguments.find(1, "indent");
  if (indent != nullptr && indent->is(Kind::string))
    style.indent = indent->as_text();
  else if (indent != nullptr && !indent->is(Kind::none))
    style.indent = std::string(
        static_cast<std::size_t>(std::clamp<std::int64_t>(integer_argument(arguments, 1, "indent", 0), 0, 1000)), ' ');
  const Value* const separators = arguments.find(2, "separators");
  if (separators != nullptr && !separators->is(Kind::none)) {
    if (!separators->is(Kind::list) || separators->as_list().size() != 2) reject("tojson: \"separators\" must be two");
    style.item_separator = to_text(separators->as_list()[0]);
    style.key_separator = to_text(separators->as_list()[1]);
  }
  return Value::text(to_json(value, style));
}

Value string_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("string", 0);
  if (value.is(Kind::string)) return value;
  return Value::text(to_text(value));
}

Value int_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("int", 2, {"default", "base"});
  const Value* const fallback = arguments.find(0, "default");
  const std::int64_t base = integer_argument(arguments, 1, "base", 10);
  if (base < 2 || base > 36) reject("int: the base must be from 2 to 36");
  std::optional<double> real;
  if (value.is_integer()) return Value::integer(value.as_integer());
  if (value.is(Kind::string)) {
    if (const auto integer = parse_integer(value.as_text(), static_cast<int>(base))) return Value::integer(*integer);
    real = parse_real(value.as_text());
  } else if (value.is(Kind::real)) {
    real = value.as_real();
  }
  constexpr double largest = 9.2e18;
  if (real && std::abs(*real) < largest) return Value::integer(static_cast<std::int64_t>(*real));
  return fallback != nullptr ? *fallback : Value::integer(0);
}

Value float_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("float", 1, {"default"});
  if (value.is_number()) return Value::real(value.as_real());
  if (value.is(Kind::string))
    if (const auto real = parse_real(value.as_text())) return Value::real(*real);
  const Value* const fallback = arguments.find(0, "default");
  return fallback != nullptr ? *fallback : Value::real(0);
}

Value abs_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("abs", 0);
  if (!value.is_number()) reject("abs: a {} is not a number", name_of(value.kind()));
  return value.as_real() < 0 ? calculate("-", Value::integer(0), value) : value;
}

// Ties go to the even neighbour, as Python's round() has it.
Value round_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("round", 2, {"precision", "method"});
  if (!value.is_number()) reject("round: a {} is not a number", name_of(value.kind()));
  const std::int64_t precision = std::clamp<std::int64_t>(integer_argument(arguments, 0, "precision", 0), -300, 300);
  const std::string method = text_argument(arguments, 1, "method").value_or("common");
  if (method != "common" && method != "ceil" && method != "floor")
    reject("round: the method must be common, ceil or floor");
  if (method == "common" && value.is_integer() && precision >= 0) return Value::integer(value.as_integer());
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.as_real() * scale;
  const double rounded = method == "ceil"    ? std::ceil(scaled)
                         : method == "floor" ? std::floor(scaled)
                                             : std::nearbyint(scaled);
  return Value::real(rounded / scale);
}

Value escape_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("escape", 0);
  return value.is_markup() ? value : Value::text(escape_html(to_text(value)), true);
}

Value safe_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("safe", 0);
  return Value::text(to_text(value), true);
}

Value center_filter(Context& context, const Value& value, const Arguments& arguments) {
  arguments.check("center", 1, {"width"});
  const Value width = Value::integer(integer_argument(arguments, 0, "width", 80));
  return call_method(context, Value::text(to_text(value)), "center", {{width}, {}});
}

Value truncate_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("truncate", 4, {"length", "killwords", "end", "leeway"});
  const std::string text = to_text(value), end = text_argument(arguments, 2, "end").value_or("...");
  const auto length =
      static_cast<std::size_t>(std::max<std::int64_t>(integer_argument(arguments, 0, "length", 255), 0));
  const auto leeway = static_cast<std::size_t>(std::max<std::int64_t>(integer_argument(arguments, 3, "leeway", 5), 0));
  const std::size_t end_length = length_of(end);
  if (length < end_length) reject("truncate: the length must be at least {}, that of its end", end_length);
  if (length_of(text) <= length + leeway) return value;
  std::string cut;
  std::size_t count = 0;
  for (const std::string_view character : CodePoints(text)) {
    if (count++ == length - end_length) break;
    cut += character;
  }
  if (!flag_argument(arguments, 1, "killwords")) cut = cut.substr(0, cut.rfind(' '));
  return Value::text(cut + end);
}

Value wordcount_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("wordcount", 0);
  return Value::integer(static_cast<std::int64_t>(split(to_text(value), std::nullopt, -1).size()));
}

Value format_filter(Context&, const Value& value, const Arguments& arguments) {
  if (!arguments.named.empty() && !arguments.positional.empty()) reject("format takes values, or values by name");
  if (arguments.named.empty())
    return Value::text(format_percent(to_text(value), Value::list(arguments.positional, Form::tuple)));
  std::vector<std::pair<Value, Value>> named;
  for (const auto& [name, held] : arguments.named) named.emplace_back(Value::text(name), held);
  return Value::text(format_percent(to_text(value), Value::dict(std::move(named))));
}

Value attr_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("attr", 1, {"name"});
  const auto name = text_argument(arguments, 0, "name");
  if (!name) reject("attr needs a name");
  const Value* const found =
      value.is(Kind::name_space) ? value.find(*name) : nullptr;  // a dict's keys are not attributes
  return found != nullptr ? *found : Value::undefined(*name);
}

}  // namespace

FilterTable text_filters() {
  return {{"default", default_filter},
          {"d", default_filter},
          {"trim", trim_filter},
          {"upper", case_filter<LetterCase::upper>},
          {"lower", case_filter<LetterCase::lower>},
          {"capitalize", case_filter<LetterCase::capitalized>},
          {"title", title_filter},
          {"replace", replace_filter},
          {"indent", indent_filter},
          {"tojson", tojson_filter},
          {"string", string_filter},
          {"int", int_filter},
          {"float", float_filter},
          {"abs", abs_filter},
          {"round", round_filter},
          {"escape", escape_filter},
          {"e", escape_filter},
          {"safe", safe_filter},
          {"center", center_filter},
          {"truncate", truncate_filter},
          {"wordcount", wordcount_filter},
          {"format", format_filter},
          {"attr", attr_filter}};
}

}  // namespace layerboost::jinja
