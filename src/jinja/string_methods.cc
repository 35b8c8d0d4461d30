// Methods of strings, as Python's have them.
#include <algorithm>
#include <optional>

#include "jinja/functions.h"
#include "jinja/repr.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

std::optional<std::string> text_at(const Arguments& arguments, std::size_t index, std::string_view name = {}) {
  const Value* const value = arguments.find(index, name);
  if (value == nullptr || value->is(Kind::none)) return std::nullopt;
  if (!value->is(Kind::string)) reject("the method needs a string, not a {}", name_of(value->kind()));
  return to_text(*value);
}

std::string required_text(const Arguments& arguments, std::size_t index) {
  const auto text = text_at(arguments, index);
  if (!text) reject("the method needs a string");
  return *text;
}

std::int64_t integer_at(const Arguments& arguments, std::size_t index, std::int64_t fallback,
                        std::string_view name = {}) {
  const Value* const value = arguments.find(index, name);
  if (value == nullptr) return fallback;
  if (!value->is_integer()) reject("the method needs an integer, not a {}", name_of(value->kind()));
  return value->as_integer();
}

Value list_of(const std::vector<std::string_view>& parts, Form form = Form::list) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(Value::text(std::string(part)));
  return Value::list(std::move(items), form);
}

template <Side side>
Value strip_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("strip", 1);
  return Value::text(std::string(strip(object.as_text(), side, text_at(arguments, 0))));
}

template <LetterCase form>
Value case_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("the method", 0);
  return Value::text(with_case(object.as_text(), form));
}

Value casefold_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("casefold", 0);
  return Value::text(without_case(object.as_text()));
}

// Spaces up to the next column that is a multiple of the size; columns are counted anew after a line end.
Value expandtabs_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("expandtabs", 1, {"tabsize"});
  const std::int64_t size = integer_at(arguments, 0, 8, "tabsize");
  if (size > (1 << 10)) reject("expandtabs: a size of more than {}", 1 << 10);
  std::string out;
  std::int64_t column = 0;
  charge(4 * object.as_text().size());
  for (const std::string_view character : CodePoints(object.as_text())) {
    if (character == "\t") {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      charge(static_cast<std::size_t>(spaces));
      out.append(static_cast<std::size_t>(spaces), ' ');
      column += spaces;
    } else {
      out += character;
      column = character == "\n" || character == "\r" ? 0 : column + 1;
    }
    if (out.size() > Value::max_weight) reject("expandtabs: a text of more than {} bytes", Value::max_weight);
  }
  return Value::text(std::move(out));
}

template <bool from_right>
Value split_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("split", 2, {"sep", "maxsplit"});
  const auto separator = text_at(arguments, 0, "sep");
  const std::int64_t most = integer_at(arguments, 1, -1, "maxsplit");
  const auto parts =
      from_right ? split_from_right(object.as_text(), separator, most) : split(object.as_text(), separator, most);
  return list_of(parts);
}

Value splitlines_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("splitlines", 1, {"keepends"});
  const Value* const keep = arguments.find(0, "keepends");
  return list_of(split_lines(object.as_text(), keep != nullptr && truth(*keep)));
}

template <bool at_start>
Value affix_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check(at_start ? "startswith" : "endswith", 1);
  const Value* const wanted = arguments.find(0);
  if (wanted == nullptr) reject("the method needs a string");
  const auto matches = [&](const Value& affix) {
    if (!affix.is(Kind::string)) reject("the method needs a string, not a {}", name_of(affix.kind()));
    return at_start ? object.as_text().starts_with(affix.as_text()) : object.as_text().ends_with(affix.as_text());
  };
  if (!wanted->is(Kind::list)) return Value::boolean(matches(*wanted));
  return Value::boolean(std::any_of(wanted->as_list().begin(), wanted->as_list().end(), matches));
}

template <bool at_start>
Value remove_affix_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check(at_start ? "removeprefix" : "removesuffix", 1);
  std::string text = object.as_text();
  const std::string affix = required_text(arguments, 0);
  if (at_start && text.starts_with(affix)) text.erase(0, affix.size());
  if (!at_start && text.ends_with(affix)) text.resize(text.size() - affix.size());
  return Value::text(std::move(text));
}

Value replace_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("replace", 3, {"count"});
  return Value::text(replace(object.as_text(), required_text(arguments, 0), required_text(arguments, 1),
                             integer_at(arguments, 2, -1, "count")));
}

template <bool from_right, bool must_be_there>
Value find_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("find", 1);
  const std::string wanted = required_text(arguments, 0);
  const std::size_t found = (from_right ? find_last_text : find_text)(object.as_text(), wanted);
  if (found == std::string::npos && must_be_there) reject("index: the text is not there");
  if (found == std::string::npos) return Value::integer(-1);
  return Value::integer(static_cast<std::int64_t>(length_of(std::string_view(object.as_text()).substr(0, found))));
}

Value count_text_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("count", 1);
  return Value::integer(static_cast<std::int64_t>(count_text(object.as_text(), required_text(arguments, 0))));
}

Value join_method(Context& context, const Value& object, const Arguments& arguments) {
  arguments.check("join", 1);
  const Value* const parts = arguments.find(0);
  if (parts == nullptr) reject("join needs a list");
  for (const Value& part : items_of(*parts))
    if (!part.is(Kind::string)) reject("join needs strings, not a {}", name_of(part.kind()));
  return apply_filter(context, "join", *parts, {{object}, {}});
}

template <char side>  // what is filled: 'l'eft, 'r'ight or 'b'oth
Value fill_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("the method", 2);
  const std::string filling = text_at(arguments, 1).value_or(" ");
  if (length_of(filling) != 1) reject("what is filled with must be one character");
  const auto length = static_cast<std::int64_t>(length_of(object.as_text()));
  const std::int64_t missing = integer_at(arguments, 0, 0) - length;
  if (missing <= 0) return object;
  if (missing > (1 << 20)) reject("a width of more than {}", 1 << 20);
  charge(2 * static_cast<std::size_t>(missing));
  // Python's center() puts the odd one to the left when the width is odd.
  const std::int64_t left = side == 'l' ? missing : side == 'r' ? 0 : missing / 2 + (missing & (missing + length) & 1);
  std::string text;
  for (std::int64_t i = 0; i < left; ++i) text += filling;
  text += object.as_text();
  for (std::int64_t i = left; i < missing; ++i) text += filling;
  return Value::text(std::move(text));
}

Value zfill_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("zfill", 1);
  const std::int64_t missing = integer_at(arguments, 0, 0) - static_cast<std::int64_t>(length_of(object.as_text()));
  std::string text = object.as_text();
  if (missing > (1 << 20)) reject("a width of more than {}", 1 << 20);
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (missing > 0) text.insert(sign, static_cast<std::size_t>(missing), '0');
  return Value::text(std::move(text));
}

template <bool from_right>
Value partition_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("partition", 1);
  const std::string separator = required_text(arguments, 0);
  if (separator.empty()) reject("partition: the separator is empty");
  const std::string_view text = object.as_text();
  const std::size_t found = (from_right ? find_last_text : find_text)(text, separator);
  if (found == std::string_view::npos)
    return from_right ? list_of({"", "", text}, Form::tuple) : list_of({text, "", ""}, Form::tuple);
  return list_of({text.substr(0, found), separator, text.substr(found + separator.size())}, Form::tuple);
}

Value format_method(Context&, const Value& object, const Arguments& arguments) {
  return Value::text(format_braces(object.as_text(), arguments));
}

template <char kind>
Value kind_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("the method", 0);
  constexpr std::string_view name = kind == 'd'   ? "digit"
                                    : kind == 'm' ? "numeric"
                                    : kind == 'c' ? "decimal"
                                    : kind == 'a' ? "alpha"
                                    : kind == 'n' ? "alnum"
                                    : kind == 's' ? "space"
                                    : kind == 'l' ? "lower"
                                                  : "upper";
  return Value::boolean(all_are(object.as_text(), name));
}

Value istitle_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("istitle", 0);
  return Value::boolean(is_title(object.as_text()));
}

Value isascii_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("isascii", 0);
  const std::string_view text = object.as_text();
  charge(text.size());
  return Value::boolean(std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; }));
}

Value isprintable_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("isprintable", 0);
  return Value::boolean(object.as_text().empty() || all_are(object.as_text(), "printable"));
}

}  // namespace

const MethodTable& string_methods() {
  static const MethodTable table = {{"strip", strip_method<Side::both>},
                                    {"lstrip", strip_method<Side::left>},
                                    {"rstrip", strip_method<Side::right>},
                                    {"upper", case_method<LetterCase::upper>},
                                    {"lower", case_method<LetterCase::lower>},
                                    {"casefold", casefold_method},
                                    {"expandtabs", expandtabs_method},
                                    {"title", case_method<LetterCase::title>},
                                    {"capitalize", case_method<LetterCase::capitalized>},
                                    {"swapcase", case_method<LetterCase::swapped>},
                                    {"split", split_method<false>},
                                    {"rsplit", split_method<true>},
                                    {"splitlines", splitlines_method},
                                    {"startswith", affix_method<true>},
                                    {"endswith", affix_method<false>},
                                    {"removeprefix", remove_affix_method<true>},
                                    {"removesuffix", remove_affix_method<false>},
                                    {"replace", replace_method},
                                    {"find", find_method<false, false>},
                                    {"rfind", find_method<true, false>},
                                    {"index", find_method<false, true>},
                                    {"rindex", find_method<true, true>},
                                    {"count", count_text_method},
                                    {"join", join_method},
                                    {"center", fill_method<'b'>},
                                    {"ljust", fill_method<'r'>},
                                    {"rjust", fill_method<'l'>},
                                    {"zfill", zfill_method},
                                    {"partition", partition_method<false>},
                                    {"rpartition", partition_method<true>},
                                    {"format", format_method},
                                    {"isdigit", kind_method<'d'>},
                                    {"isnumeric", kind_method<'m'>},
                                    {"isdecimal", kind_method<'c'>},
                                    {"isalpha", kind_method<'a'>},
                                    {"isalnum", kind_method<'n'>},
                                    {"isspace", kind_method<'s'>},
                                    {"islower", kind_method<'l'>},
                                    {"isupper", kind_method<'u'>},
                                    {"istitle", istitle_method},
                                    {"isascii", isascii_method},
                                    {"isprintable", isprintable_method}};
  return table;
}

}  // namespace layerboost::jinja
