#include "jinja/dump.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/budget.h"
#include "jinja/repr.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

// Units of charge() for a value, and for a byte of a text's.
constexpr std::size_t written_value_cost = 32;
constexpr std::size_t written_byte_cost = 8;

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style)
      : style_(style),
        item_separator_(style.item_separator.value_or(style.indent ? "," : ", ")),
        key_separator_(style.key_separator.value_or(": ")) {}

  void write(const Value& value, int level) {
    charge(written_value_cost);
    switch (value.kind()) {
      case Kind::none:
        out_ += "null";
        return;
      case Kind::boolean:
        out_ += value.as_boolean() ? "true" : "false";
        return;
      case Kind::integer:
        out_ += std::to_string(value.as_integer());
        return;
      case Kind::big:
        out_ += value.as_digits();
        return;
      case Kind::real:
        out_ += number(value.as_real());
        return;
      case Kind::string:
        write_string(value.as_text());
        return;
      case Kind::list:
        if (value.is_lazy()) reject("tojson: a generator is not JSON; add \"| list\"");
        write_list(value.as_list(), level);
        return;
      case Kind::dict:
        write_dict(value.as_dict(), level);
        return;
      case Kind::undefined:
        reject("tojson: {} is undefined", value.undefined_name().empty() ? "the value" : value.undefined_name());
      default:
        reject("tojson: a {} is not JSON", name_of(value.kind()));
    }
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return number_text(value);
  }

  void write_string(const std::string& text) {
    charge(written_byte_cost * text.size());
    out_ += '"';
    for (const std::string_view character : CodePoints(text)) write_character(character);
    out_ += '"';
  }

  void write_character(std::string_view character) {
    constexpr std::string_view plain = "\"\\\n\r\t\b\f", escaped = "\"\\nrtbf";
    const auto byte = static_cast<unsigned char>(character[0]);
    if (const std::size_t at = plain.find(character[0]); at != std::string_view::npos) {
      (out_ += '\\') += escaped[at];
    } else if (byte < 0x20) {
      out_ += fmt::format("\\u{:04x}", byte);
    } else if (byte < 0x80 || !style_.ascii_only || is_mark(code_point_of(character))) {
      out_ += character;
    } else {
      const Utf8Char decoded = decode_utf8(character);
      const auto c = decoded.kind == Utf8Char::Kind::valid ? static_cast<unsigned>(decoded.code_point) : 0xFFFDU;
      out_ += c < 0x10000 ? fmt::format("\\u{:04x}", c)
                          : fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((c - 0x10000) >> 10U), 0xDC00 + (c & 0x3FFU));
    }
  }

  void new_line(int level) {
    check_size();
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level; ++i) {
      out_ += *style_.indent;
      charge_copy(style_.indent->size());
      check_size();
    }
  }

  void separate() {
    charge_copy(item_separator_.size());
    out_ += item_separator_;
  }

  void check_size() const {
    if (out_.size() > Value::max_weight) reject("tojson: a text of more than {} bytes", Value::max_weight);
  }

  void write_list(const std::vector<Value>& items, int level) {
    out_ += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) separate();
      new_line(level + 1);
      write(items[i], level + 1);
    }
    if (!items.empty()) new_line(level);
    out_ += ']';
  }

  void write_dict(const std::vector<std::pair<Value, Value>>& items, int level) {
    std::vector<const std::pair<Value, Value>*> order;
    for (const auto& item : items) order.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(order.begin(), order.end(),
                       [](const auto* a, const auto* b) { return less(a->first, b->first); });
    out_ += '{';
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) separate();
      new_line(level + 1);
      write_key(order[i]->first);
      charge_copy(key_separator_.size());
      out_ += key_separator_;
      write(order[i]->second, level + 1);
    }
    if (!items.empty()) new_line(level);
    out_ += '}';
  }

  void write_key(const Value& key) {
    if (key.is(Kind::string)) return write_string(key.as_text());
    if (key.is(Kind::list)) reject("tojson: a list can't be a key");
    out_ += '"';
    write(key, 0);
    out_ += '"';
  }

  const JsonStyle& style_;
  std::string item_separator_, key_separator_, out_;
};

void append_repr(const Value& value, std::string& out) {
  charge(written_value_cost);
  if (out.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
  const auto in_brackets = [&](char open, const auto& items, char close, const auto& append) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ", ";
      first = false;
      append(item);
    }
    out += close;
  };
  switch (value.kind()) {
    case Kind::undefined:
      out += "Undefined";
      return;
    case Kind::none:
      out += "None";
      return;
    case Kind::boolean:
      out += value.as_boolean() ? "True" : "False";
      return;
    case Kind::integer:
      out += std::to_string(value.as_integer());
      return;
    case Kind::big:
      out += value.as_digits();
      return;
    case Kind::real:
      out += number_text(value.as_real());
      return;
    case Kind::string:
      charge(written_byte_cost * value.as_text().size());
      out += repr_of(value.as_text());
      return;
    case Kind::list: {
      const bool tuple = value.form() == Form::tuple;
      in_brackets(tuple ? '(' : '[', value.as_list(), tuple ? ')' : ']',
                  [&](const Value& item) { append_repr(item, out); });
      if (tuple && value.as_list().size() == 1) out.insert(out.size() - 1, ",");
      return;
    }
    case Kind::dict:
      in_brackets('{', value.as_dict(), '}', [&](const auto& item) {
        append_repr(item.first, out);
        out += ": ";
        append_repr(item.second, out);
      });
      return;
    case Kind::name_space:
      out += "<Namespace>";
      return;
    case Kind::callable:
      out += fmt::format("<function {}>", value.as_callable().name);
      return;
  }
}

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style) {
  JsonWriter writer(style);
  writer.write(value, 0);
  return writer.take();
}

std::string to_repr(const Value& value) {
  std::string out;
  append_repr(value, out);
  return out;
}

}  // namespace layerboost::jinja
