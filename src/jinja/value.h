// The values of a template: Python's, as far as templates can tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "jinja/budget.h"

namespace layerboost::jinja {

/// What is wrong while a template is parsed or run, without the line it happened at.
class TemplateError : public std::runtime_error {
 public:
  explicit TemplateError(const std::string& message) : std::runtime_error(message) {}
};

template <typename... Args>
[[noreturn]] void reject(fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError(fmt::format(format, std::forward<Args>(args)...));
}

class Value;
struct BigInteger;
struct Text;
struct List;
struct Dict;
struct Namespace;
struct Callable;

/// A list, a tuple, or what stands for one of Python's generators: true even when empty, without length.
enum class Form { list, tuple, lazy };

/// `big`: an integer that 64 bits don't hold (jinja/big_integer.h).
enum class Kind { undefined, none, boolean, integer, big, real, string, list, dict, name_space, callable };

/// Immutable but for namespaces; copies share what they hold. Texts, lists and dicts made while a template runs charge
/// its budget for the work of making them and hold memory of it.
class Value {
 public:
  Value() = default;  // undefined
  /// `name`: for messages; what is longer than a name is cut short.
  static Value undefined(std::string_view name);
  static Value none() { return Value(Data(std::in_place_type<None>)); }
  static Value boolean(bool value) { return Value(Data(value)); }
  static Value integer(std::int64_t value) { return Value(Data(value)); }
  /// `digits`: decimal, perhaps with "-". Requires: 64 bits don't hold it.
  static Value big_integer(std::string digits);
  static Value real(double value) { return Value(Data(value)); }
  /// `markup`: what the filter `safe` makes; added to other text, it has that escaped for HTML. Throws TemplateError
  /// for more than max_weight bytes.
  static Value text(std::string value, bool markup = false);
  /// Throws TemplateError when values nest deeper than max_depth or weigh more than max_weight.
  static Value list(std::vector<Value> items, Form form = Form::list);
  static Value dict(std::vector<std::pair<Value, Value>> items);
  static Value callable(Callable value);
  static Value name_space(std::shared_ptr<Namespace> value) { return Value(Data(std::move(value))); }
  static Value from_json(const Json& json);

  static constexpr int max_depth = 200;
  static constexpr std::size_t max_weight = std::size_t{64} << 20U;

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
  [[nodiscard]] bool is(Kind kind) const { return this->kind() == kind; }
  /// A bool counts as an integer, as in Python. is_integer(): one that 64 bits hold.
  [[nodiscard]] bool is_integer() const { return is(Kind::integer) || is(Kind::boolean); }
  [[nodiscard]] bool is_any_integer() const { return is_integer() || is(Kind::big); }
  [[nodiscard]] bool is_number() const { return is_any_integer() || is(Kind::real); }

  // Requires of each: the value is of that kind, but where another is named.
  [[nodiscard]] const std::string& undefined_name() const;
  [[nodiscard]] bool as_boolean() const { return std::get<bool>(data_); }
  [[nodiscard]] std::int64_t as_integer() const;       // boolean or integer
  [[nodiscard]] double as_real() const;                // any number
  [[nodiscard]] const std::string& as_digits() const;  // of a big integer
  [[nodiscard]] const std::string& as_text() const;
  [[nodiscard]] bool is_markup() const;  // of any kind
  [[nodiscard]] const std::vector<Value>& as_list() const;
  [[nodiscard]] Form form() const;  // of a list
  [[nodiscard]] bool is_lazy() const { return is(Kind::list) && form() == Form::lazy; }
  [[nodiscard]] const std::vector<std::pair<Value, Value>>& as_dict() const;
  [[nodiscard]] Namespace& as_namespace() const { return *std::get<std::shared_ptr<Namespace>>(data_); }
  [[nodiscard]] const Callable& as_callable() const { return *std::get<std::shared_ptr<const Callable>>(data_); }

  /// What a dict or namespace holds at `key`; nullptr: nothing.
  [[nodiscard]] const Value* find(const Value& key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;

  /// How deep lists and dicts nest in this one; 0 for what holds no others.
  [[nodiscard]] int depth() const;
  /// Values and bytes of text in this one, each as often as it is reached: what it costs to go through it.
  [[nodiscard]] std::size_t weight() const;

 private:
  using None = std::nullptr_t;
  // In the order of Kind. The first holds an undefined variable's name, or nothing.
  using Data =
      std::variant<std::shared_ptr<const std::string>, None, bool, std::int64_t, std::shared_ptr<const BigInteger>,
                   double, std::shared_ptr<const Text>, std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                   std::shared_ptr<Namespace>, std::shared_ptr<const Callable>>;

  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

/// See Value::depth() and weight().
struct Extent {
  int depth = 1;
  std::size_t weight = 1;

  /// Throws TemplateError where that makes too much.
  void add(const Value& child);
};

struct BigInteger {
  std::string digits;
  Held held;
};

struct Text {
  std::string content;
  bool markup = false;
  Held held;
};

struct List {
  std::vector<Value> items;
  Form form = Form::list;
  Extent extent;
  Held held;
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // as they were added; keys differ
  Extent extent;
  Held held;
};

/// namespace(): what a template may change.
struct Namespace {
  std::vector<std::pair<std::string, Value>> members;

  void set(const std::string& name, Value value);
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `index` or by `name` (empty: by index only); nullptr: not given.
  [[nodiscard]] const Value* find(std::size_t index, std::string_view name = {}) const;
  /// Throws TemplateError when there are more than `most` by position, or one by a name that isn't among `names`.
  void check(std::string_view callee, std::size_t most, std::initializer_list<std::string_view> names = {}) const;
};

struct Context;

struct Callable {
  std::string name;
  std::function<Value(Context&, const Arguments&)> call;
  std::vector<std::pair<std::string, Value>> attributes = {};  // such as a macro's name
};

/// "string", "list", ... for messages.
std::string_view name_of(Kind kind);

/// bool(value).
bool truth(const Value& value);

/// a == b, charged for.
bool same_text(std::string_view a, std::string_view b);

/// a == b. Values of different kinds differ, but for numbers.
bool equal(const Value& a, const Value& b);

/// a < b for two numbers, two strings (by code points) or two lists; throws TemplateError for others.
bool less(const Value& a, const Value& b);

/// str(value): what `{{ value }}` prints.
std::string to_text(const Value& value);

/// repr(value): what a list prints its items as.
std::string to_repr(const Value& value);

/// The items that `for` visits: of a list, the keys of a dict, the characters of a string, none of undefined. Throws
/// TemplateError for others.
std::vector<Value> items_of(const Value& value);

}  // namespace layerboost::jinja
