// Filters that take or make single values.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "jinja/big_integer.h"
#include "jinja/dump.h"
#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::int64_t most_padding = 1 << 16;
constexpr std::size_t digit_cost = 4;  // of a byte that may be part of a number, in units of charge()

// Python's int(text, base), spaces around it and underscores allowed.
std::optional<Value> parse_integer(std::string_view text, int base) {
  charge(digit_cost * text.size());
  std::string digits(strip(text, Side::both));
  std::erase(digits, '_');
  if (digits.starts_with('+')) digits.erase(0, 1);
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, base);
  if (stopped != end || stopped == digits.data()) return std::nullopt;
  if (error == std::errc()) return Value::integer(value);
  if (base == 10) return integer_of(digits);
  reject("int: more than 64 bits to the base {}", base);
}

std::optional<double> parse_real(std::string_view text) {
  charge(digit_cost * text.size());
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
  std::string word;
  const auto end_word = [&] {
    const std::string_view first = *CodePoints(word).begin();
    out +=
        with_case(first, LetterCase::upper) + with_case(std::string_view(word).substr(first.size()), LetterCase::lower);
    word.clear();
  };
  for (const std::string_view character : CodePoints(text)) {
    const bool between =
        all_are(character, "space") || std::string_view("-({[<").find(character) != std::string_view::npos;
    if (between) end_word();
    (between ? out : word) += character;
  }
  end_word();
  return Value::text(std::move(out));
}

Value replace_filter(Context& context, const Value& value, const Arguments& arguments) {
  arguments.check("replace", 3, {"old", "new", "count"});
  const auto from = text_argument(arguments, 0, "old"), to = text_argument(arguments, 1, "new");
  if (!from || !to) reject("replace needs what to replace and by what");
  const Value* const by = arguments.find(1, "new");
  const bool markup = context.escaping && (value.is_markup() || by->is_markup());
  const std::string text = markup && !value.is_markup() ? escape_html(to_text(value)) : to_text(value);
  const std::string put = markup && !by->is_markup() ? escape_html(*to) : *to;
  return Value::text(replace(text, *from, put, integer_argument(arguments, 2, "count", -1)), markup);
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
  if (value.is(Kind::big)) return value;
  if (value.is(Kind::string)) {
    if (const auto integer = parse_integer(value.as_text(), static_cast<int>(base))) return *integer;
    real = parse_real(value.as_text());
  } else if (value.is(Kind::real)) {
    real = value.as_real();
  }
  if (real && std::isfinite(*real)) return integer_of(*real);
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
  if (value.is(Kind::real)) return Value::real(std::abs(value.as_real()));
  return less(value, Value::integer(0)) ? calculate("-", Value::integer(0), value) : value;
}

// Ties go to the even neighbour, as Python's round() has it.
Value round_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("round", 2, {"precision", "method"});
  if (!value.is_number()) reject("round: a {} is not a number", name_of(value.kind()));
  const std::int64_t precision = std::clamp<std::int64_t>(integer_argument(arguments, 0, "precision", 0), -300, 300);
  const std::string method = text_argument(arguments, 1, "method").value_or("common");
  if (method != "common" && method != "ceil" && method != "floor")
    reject("round: the method must be common, ceil or floor");
  if (method == "common" && value.is_any_integer() && precision >= 0) return calculate("+", value, Value::integer(0));
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

Value forceescape_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("forceescape", 0);
  return Value::text(escape_html(to_text(value)), true);
}

// What stands between `open` and `close` goes, with these.
std::string without_marked(std::string_view text, std::string_view open, std::string_view close) {
  std::string out;
  charge(text.size());
  while (true) {
    const std::size_t begin = text.find(open);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(close, begin);
    if (end == std::string_view::npos) return out.append(text);
    out += text.substr(0, begin);
    text.remove_prefix(end + close.size());
  }
}

// The characters that HTML's commonest names and all numbers stand for; other names stay.
std::string without_entities(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", "\u00A0"}};
  charge(16 * text.size());
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const auto* const named =
        std::find_if(std::begin(names), std::end(names), [&](const auto& one) { return rest.starts_with(one.first); });
    if (named != std::end(names)) {
      out += named->second;
      at += named->first.size();
      continue;
    }
    const bool hex = rest.starts_with("&#x") || rest.starts_with("&#X");
    std::uint32_t code = 0;
    const char* const begin = rest.data() + (hex ? 3 : 2);
    const char* end = begin;
    if (rest.starts_with("&#") && rest.size() > 3)
      end = std::from_chars(begin, rest.data() + rest.size(), code, hex ? 16 : 10).ptr;
    const bool valid = code > 0 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (end == begin || !valid) {
      out += text[at++];
      continue;
    }
    append_utf8(code, out);
    at += static_cast<std::size_t>(end - rest.data());
    if (at < text.size() && text[at] == ';') ++at;
  }
  return out;
}

Value striptags_filter(Context&, const Value& value, const Arguments& arguments) {
  arguments.check("striptags", 0);
  const std::string text = without_marked(without_marked(to_text(value), "<!--", "-->"), "<", ">");
  std::string out;
  for (const std::string_view word : split(text, std::nullopt, -1)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return Value::text(without_entities(out));
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
  std::int64_t words = 0;
  bool inside = false;
  const std::string text = to_text(value);
  for (const std::string_view character : CodePoints(text)) {
    const bool was_inside = std::exchange(inside, is_word_character(character));
    if (inside && !was_inside) ++words;
  }
  return Value::integer(words);
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
          {"forceescape", forceescape_filter},
          {"striptags", striptags_filter},
          {"safe", safe_filter},
          {"center", center_filter},
          {"truncate", truncate_filter},
          {"wordcount", wordcount_filter},
          {"format", format_filter},
          {"attr", attr_filter}};
}

}  // namespace layerboost::jinja
