// Python's two ways of putting values into a text: "%d items" % n and "{} items".format(n).
#include <algorithm>
#include <cmath>
#include <optional>

#include "jinja/big_integer.h"
#include "jinja/format_spec.h"
#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

void check_size(const std::string& out) {
  if (out.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
}

/// A field of "%": "%(name)-5.2f".
struct PercentField {
  FormatSpec spec;
  bool zeros = false, left = false;

  /// Reads flags, width and precision from `format` at `at`, and goes behind them. `next`: the values that "*" takes.
  template <typename Next>
  void read(const std::string& format, std::size_t& at, const Next& next) {
    for (; at < format.size() && std::string_view("-+ #0").find(format[at]) != std::string_view::npos; ++at) {
      const char flag = format[at];
      if (flag == '-') left = true;
      if (flag == '0') zeros = true;
      if (flag == '#') spec.alternate = true;
      if (flag == '+' || (flag == ' ' && spec.sign != '+')) spec.sign = flag;
    }
    const std::int64_t width = number(format, at, next);
    left = left || width < 0;
    spec.width = static_cast<std::size_t>(std::abs(width));
    if (at < format.size() && format[at] == '.')
      spec.precision = static_cast<int>(std::max<std::int64_t>(number(format, ++at, next), 0));
    while (at < format.size() && std::string_view("hlL").find(format[at]) != std::string_view::npos) ++at;
    spec.align = left ? '<' : '>';
  }

 private:
  template <typename Next>
  static std::int64_t number(const std::string& format, std::size_t& at, const Next& next) {
    constexpr std::int64_t most = 1000;
    std::int64_t value = 0;
    if (at < format.size() && format[at] == '*') {
      ++at;
      const Value& given = next();
      if (!given.is_integer()) reject("%: \"*\" needs an integer, not a {}", name_of(given.kind()));
      value = given.as_integer();
    }
    for (; at < format.size() && format[at] >= '0' && format[at] <= '9' && value <= most; ++at)
      value = 10 * value + (format[at] - '0');
    if (value > most || value < -most) reject("%: a width or precision of more than {}", most);
    return value;
  }
};

std::string percent_integer(const PercentField& field, const Value& value, char type) {
  const Value whole = value.is(Kind::real) ? integer_of(value.as_real()) : value;
  FormatSpec digits = field.spec;  // as many as the precision says, or the width: zeros stand before them
  digits.type = type == 'i' || type == 'u' ? 'd' : type;
  digits.precision = -1;
  digits.fill = "0";
  digits.align = '=';
  const std::size_t sign = digits.sign != '-' || less(whole, Value::integer(0)) ? 1 : 0;
  const std::size_t prefix = digits.alternate && digits.type != 'd' ? 2 : 0;
  digits.width = sign + prefix + static_cast<std::size_t>(std::max(field.spec.precision, 0));
  if (field.zeros && !field.left) digits.width = std::max(digits.width, field.spec.width);
  const FormatSpec outer{.align = field.spec.align, .width = field.spec.width};
  return formatted(Value::text(formatted(whole, digits)), outer);
}

std::string percent_field(PercentField field, const Value& value, char type) {
  FormatSpec& spec = field.spec;
  if (type == 's' || type == 'r') {
    spec.sign = '-';
    spec.alternate = false;
    return formatted(Value::text(type == 's' ? to_text(value) : to_repr(value)), spec);
  }
  if (type == 'c' && (value.is_integer() || (value.is(Kind::string) && length_of(value.as_text()) == 1))) {
    spec = FormatSpec{.align = spec.align, .width = spec.width, .type = value.is_integer() ? 'c' : 's'};
    return formatted(value, spec);
  }
  const bool whole = type != '\0' && std::string_view("diuoxX").find(type) != std::string_view::npos;
  const bool decimal = whole && std::string_view("diu").find(type) != std::string_view::npos;
  if (whole && (value.is_any_integer() || (decimal && value.is(Kind::real) && std::isfinite(value.as_real()))))
    return percent_integer(field, value, type);
  if (type != '\0' && std::string_view("feEgGF").find(type) != std::string_view::npos && value.is_number()) {
    spec.type = type;
    if (field.zeros && !field.left) {
      spec.fill = "0";
      spec.align = '=';
    }
    return formatted(Value::real(value.as_real()), spec);
  }
  reject("%{}: not possible with a {}", type, name_of(value.kind()));
}

/// Goes through the format of str.format(). Fields inside of a specification are one level below.
class BraceFormat {
 public:
  explicit BraceFormat(const Arguments& arguments) : arguments_(arguments) {}

  std::string text(std::string_view format, int level) {
    std::string out;
    charge(8 * format.size());
    for (std::size_t i = 0; i < format.size(); ++i) {
      const char c = format[i];
      if ((c == '{' || c == '}') && i + 1 < format.size() && format[i + 1] == c) {
        out += format[i++];
      } else if (c == '}') {
        reject("format: a single \"}}\"");
      } else if (c == '{') {
        const std::size_t end = end_of_field(format, i);
        out += field(format.substr(i + 1, end - i - 1), level);
        i = end;
      } else {
        out += c;
      }
      check_size(out);
    }
    return out;
  }

 private:
  static std::size_t end_of_field(std::string_view format, std::size_t begin) {
    int depth = 0;
    for (std::size_t i = begin; i < format.size(); ++i) {
      if (format[i] == '{') ++depth;
      if (format[i] == '}' && --depth == 0) return i;
    }
    reject("format: \"{{\" without \"}}\"");
  }

  std::string field(std::string_view field, int level) {
    if (level > 1) reject("format: a field inside of a field's field");
    const std::size_t bracket = std::min(field.find('['), field.size());
    std::size_t name_end = std::min(field.find_first_of("!:"), field.size());
    if (bracket < name_end)
      name_end = std::min(field.find_first_of("!:", std::min(field.find(']'), field.size())), field.size());
    Value value = value_of(field.substr(0, name_end));
    std::string_view rest = field.substr(name_end);
    if (rest.starts_with('!')) {
      const char conversion = rest.size() > 1 ? rest[1] : '\0';
      if (conversion != 's' && conversion != 'r') reject("format: after \"!\" there must be \"s\" or \"r\"");
      value = Value::text(conversion == 's' ? to_text(value) : to_repr(value));
      rest.remove_prefix(2);
      if (!rest.empty() && !rest.starts_with(':')) reject("format: only \":\" may follow a conversion");
    }
    const std::string spec = rest.empty() ? "" : text(rest.substr(1), level + 1);
    return spec.empty() ? to_text(value) : formatted(value, parse_format_spec(spec));
  }

  /// The value of "0", "name", "", each perhaps with ".attribute" and "[key]".
  Value value_of(std::string_view path) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    const std::string name(path.substr(0, end));
    const bool number = is_index(name);
    if (name.empty() || number) {
      if (numbered_.value_or(number) != number) reject("format: fields with and without numbers in one text");
      numbered_ = number;
    }
    const Value* const found = name.empty() ? arguments_.find(next_++)
                               : number     ? arguments_.find(static_cast<std::size_t>(std::stoi(name)))
                                            : arguments_.find(arguments_.positional.size(), name);
    if (found == nullptr) reject("format: nothing for \"{{{}}}\"", name);
    Value value = *found;
    for (path.remove_prefix(end); !path.empty();) {
      const bool attribute = path.front() == '.';
      const std::size_t stop = attribute ? std::min(path.find_first_of(".[", 1), path.size()) : path.find(']');
      if (stop == std::string_view::npos) reject("format: \"[\" without \"]\"");
      const std::string key(path.substr(1, stop - 1));
      if (key.empty()) reject("format: an empty attribute");
      const bool index = !attribute && is_index(key);
      value = item_of(value, index ? Value::integer(std::stoi(key)) : Value::text(key));
      path.remove_prefix(attribute ? stop : stop + 1);
      if (!path.empty() && path.front() != '.' && path.front() != '[')
        reject("format: only \".\" or \"[\" may follow \"]\"");
    }
    return value;
  }

  const Arguments& arguments_;
  std::size_t next_ = 0;
  std::optional<bool> numbered_;
};

}  // namespace

std::string format_braces(const std::string& format, const Arguments& arguments) {
  return BraceFormat(arguments).text(format, 0);
}

std::string format_percent(const std::string& format, const Value& given) {
  const bool tuple = given.is(Kind::list) && given.form() == Form::tuple;
  const std::vector<Value> arguments = tuple ? given.as_list() : std::vector{given};
  std::string out;
  std::size_t next = 0;
  bool by_name = false;
  const auto take = [&]() -> const Value& {
    if (next == arguments.size()) reject("%: too few values for the format");
    return arguments[next++];
  };
  charge(4 * format.size());
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const Value* named = nullptr;  // of "%(name)s"
    std::size_t at = i + 1;
    if (format.substr(at, 1) == "(") {
      const std::size_t close = format.find(')', at);
      if (close == std::string::npos) reject("%: \"(\" without \")\"");
      named = given.is(Kind::dict) ? given.find(format.substr(at + 1, close - at - 1)) : nullptr;
      if (named == nullptr) reject("%: no value for a name in the format");
      by_name = true;
      at = close + 1;
    }
    PercentField field;
    field.read(format, at, take);
    if (at >= format.size()) reject("%: the format ends inside of a field");
    i = at;
    if (format[at] == '%')
      out += '%';
    else
      out += percent_field(std::move(field), named != nullptr ? *named : take(), format[at]);
    check_size(out);
  }
  if (next < arguments.size() && !by_name && !given.is(Kind::dict)) reject("%: too many values for the format");
  return out;
}

}  // namespace layerboost::jinja
