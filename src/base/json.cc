#include "base/json.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/in_quotes.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace layerboost {
namespace {

/// What Python's json module writes for numbers that JSON doesn't have, and the numbers of the same length that the
/// library's parser is shown in their place: no other number of the text has a small e by then. (They have no point,
/// which the library tells in the locale's form.)
struct NotFinite {
  std::string_view name, stand_in;
  double number;
};
constexpr NotFinite not_finite_numbers[] = {
    {"NaN", "0e0", std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", "0e000000", std::numeric_limits<double>::infinity()},
    {"-Infinity", "-0e000000", -std::numeric_limits<double>::infinity()},
};

/// Whether text[i] could belong to the same word or number as its neighbour.
bool goes_on(std::string_view text, std::size_t i) {
  if (i >= text.size()) return false;
  const char c = text[i];
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '+' || c == '-';
}

/// The text with stand-ins for numbers that aren't finite, of the same length, so that places in messages stay.
std::string with_stand_ins(std::string_view text) {
  std::string result(text);
  bool in_string = false;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (in_string) {
      if (result[i] == '\\')
        ++i;
      else
        in_string = result[i] != '"';
      continue;
    }
    if (result[i] == '"') in_string = true;
    if (result[i] == 'e' && i > 0 && result[i - 1] >= '0' && result[i - 1] <= '9') result[i] = 'E';
    for (const NotFinite& one : not_finite_numbers) {
      if (!text.substr(i).starts_with(one.name) || goes_on(text, i + one.name.size()) ||
          (i > 0 && goes_on(text, i - 1)))
        continue;
      result.replace(i, one.name.size(), one.stand_in);
      i += one.name.size() - 1;
      break;
    }
  }
  return result;
}

/// Builds a value from the parser's events. Values wait in a row until the list or object around them ends: each is
/// moved into its place once, and keys are compared once all are known. (The library's own parser, given a callback,
/// looks through a whole list after each object in it, and through an object's keys for each key.)
template <typename AnyJson>
class Builder {
 public:
  Builder(std::string_view where, const JsonRules& rules) : where_(where), rules_(rules) {}

  /// The whole, when parsing has succeeded.
  AnyJson take() { return std::move(values_.front()); }

  // What the library calls.
  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double value, const std::string& text) {
    for (const auto& [name, stand_in, number] : not_finite_numbers) {
      if (rules_.not_finite && text == stand_in) return add(number);
    }
    return add(value);
  }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(typename AnyJson::binary_t& /*value*/) { return false; }  // JSON as text has none
  bool start_object(std::size_t /*unknown*/) { return open(); }
  bool start_array(std::size_t /*unknown*/) { return open(); }
  bool key(std::string& key) {
    if (keys_.size() - open_.back().first_key == rules_.most_keys)
      fail("{}: an object has more than {} keys", where_, rules_.most_keys);
    keys_.push_back(std::move(key));
    return true;
  }
  bool end_array() {
    const auto first = from(values_, open_.back().first_value);
    typename AnyJson::array_t list(std::make_move_iterator(first), std::make_move_iterator(values_.end()));
    return close(AnyJson(std::move(list)));
  }
  bool end_object() {
    settle_repeated_keys();
    const auto [first_value, first_key] = open_.back();
    typename AnyJson::object_t members;
    if constexpr (std::is_same_v<AnyJson, Json>) {
      members.reserve(order_.size());
      std::sort(order_.begin(), order_.end());
      // ordered_map's own functions look at every key there is; those of the vector that it is don't.
      auto& pairs = static_cast<typename AnyJson::object_t::Container&>(members);
      for (const std::size_t i : order_) {
        pairs.emplace_back(std::move(keys_[first_key + i]), std::move(values_[first_value + i]));
      }
    } else {
      for (const std::size_t i : order_)
        members.emplace_hint(members.end(), std::move(keys_[first_key + i]), std::move(values_[first_value + i]));
    }
    return close(AnyJson(std::move(members)));
  }
  bool parse_error(std::size_t byte, const std::string& /*token*/, const nlohmann::detail::exception& /*error*/) {
    fail("{}: not valid JSON at byte {}", where_, byte);
  }

 private:
  struct Open {  // a list or object that hasn't ended
    std::size_t first_value, first_key;
  };

  template <typename T>
  static auto from(std::vector<T>& row, std::size_t first) {
    return row.begin() + static_cast<std::ptrdiff_t>(first);
  }

  template <typename T>
  bool add(T&& value) {
    values_.emplace_back(std::forward<T>(value));
    return true;
  }

  bool open() {
    if (static_cast<int>(open_.size()) == rules_.deepest)
      fail("{}: JSON nested deeper than {}", where_, rules_.deepest);
    open_.push_back({values_.size(), keys_.size()});
    return true;
  }

  bool close(AnyJson&& value) {
    values_.erase(from(values_, open_.back().first_value), values_.end());
    keys_.erase(from(keys_, open_.back().first_key), keys_.end());
    open_.pop_back();
    return add(std::move(value));
  }

  /// Leaves in order_ the places of the innermost object's members, sorted by their keys, each key once: of one that is
  /// there twice the first place with the last value.
  void settle_repeated_keys() {
    const std::size_t first_value = open_.back().first_value, first_key = open_.back().first_key;
    const auto key_of = [&](std::size_t i) -> const std::string& { return keys_[first_key + i]; };
    order_.resize(keys_.size() - first_key);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const int compared = key_of(a).compare(key_of(b));
      return compared != 0 ? compared < 0 : a < b;
    });
    std::size_t kept = 0;
    for (const std::size_t i : order_) {
      if (kept == 0 || key_of(order_[kept - 1]) != key_of(i)) {
        order_[kept++] = i;
        continue;
      }
      if (rules_.keys_once) fail("{}: the key {} appears twice", where_, in_quotes(key_of(i)));
      values_[first_value + order_[kept - 1]] = std::move(values_[first_value + i]);
    }
    order_.resize(kept);
  }

  std::string_view where_;
  JsonRules rules_;
  std::vector<AnyJson> values_;
  std::vector<std::string> keys_;
  std::vector<Open> open_;
  std::vector<std::size_t> order_;
};

template <typename AnyJson>
AnyJson parse(std::string_view text, std::string_view where, const JsonRules& rules) {
  // The library takes a NUL for the end and overlooks what follows; no JSON has one.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    fail("{}: not valid JSON at byte {}", where, nul + 1);
  Builder<AnyJson> builder(where, rules);
  if (rules.not_finite)
    AnyJson::sax_parse(with_stand_ins(text), &builder);
  else
    AnyJson::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, const JsonRules& rules) {
  return parse<Json>(text, where, rules);
}

SortedJson parse_sorted_json(std::string_view text, std::string_view where, const JsonRules& rules) {
  return parse<SortedJson>(text, where, rules);
}

SortedJson json_or_null(std::string_view text) {
  try {
    return parse_sorted_json(text, "");
  } catch (const Error&) {
    return nullptr;
  }
}

Json read_json(const fs::path& path) { return parse_json(read_file(path), path.string(), {.keys_once = true}); }

void write_json(const fs::path& path, const Json& json) {
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

namespace json_detail {
namespace {

/// The value as it may stand in a message.
std::string shown(const Json& value) {
  return printable(value.dump(-1, ' ', true, Json::error_handler_t::replace), 60);
}

}  // namespace

void wrong_type(const Json& value, const char* key, std::string_view where) {
  fail("{}: \"{}\" has the wrong type: {}", where, key, shown(value));
}

void out_of_range(const Json& value, const char* key, std::string_view where) {
  fail("{}: \"{}\" is out of range: {}", where, key, shown(value));
}

}  // namespace json_detail

void check_format(const Json& json, std::string_view format, int version, std::string_view where) {
  if (const auto found = get<std::string>(json, "format", where); found != format)
    fail("{}: \"format\" is {}; expected \"{}\"", where, in_quotes(found), format);
  const auto found = get<Json>(json, "version", where);
  if (!found.is_number_integer() || found != version)
    fail("{}: \"version\" is {}; this program reads version {}", where, json_detail::shown(found), version);
}

void refuse_unknown_keys(const Json& object, const std::vector<std::string_view>& allowed, std::string_view where) {
  if (!object.is_object()) fail("{}: expected a JSON object", where);
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      fail("{}: unknown key {}; allowed: {}", where, in_quotes(key), fmt::join(allowed, ", "));
  }
}

}  // namespace layerboost
