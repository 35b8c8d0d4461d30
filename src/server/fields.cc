#include "server/fields.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "server/api_error.h"

namespace layerboost {

namespace {

// An object of Json finds a key by looking at one after another: a million of them would take hours.
constexpr std::size_t most_keys = 1024;

}  // namespace

Json parse_body(std::string_view body, int max_depth) {
  Json json;
  try {
    json = parse_json(body, "the body", {.deepest = max_depth, .most_keys = most_keys});
  } catch (const Error& error) {
    refuse("", "{}", error.what());
  }
  if (!json.is_object()) refuse("", "the body must be a JSON object, not {}", json.type_name());
  return json;
}

const Json* Fields::find(const char* name) const {
  const auto it = object_->find(name);
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

bool Fields::flag(const char* name, bool fallback) const {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse(path(name), "\"{}\" must be true or false, not {}", path(name), value->type_name());
  return value->get<bool>();
}

std::optional<std::int64_t> Fields::integer(const char* name, std::int64_t least, std::int64_t most) const {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  double number = std::nan("");
  if (value->is_number()) number = value->get<double>();
  // 16.0 is an integer, too: some languages know one kind of number.
  if (number != std::floor(number) || number < static_cast<double>(least) || number > static_cast<double>(most))
    refuse(path(name), "\"{}\" must be an integer from {} to {}", path(name), least, most);
  return value->is_number_integer() ? value->get<std::int64_t>() : static_cast<std::int64_t>(number);
}

double Fields::number(const char* name, double fallback, double least, double most) const {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    refuse(path(name), "\"{}\" must be a number from {} to {}", path(name), least, most);
  return number;
}

std::optional<std::string> Fields::text(const char* name) const {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(path(name), "\"{}\" must be a string, not {}", path(name), value->type_name());
  return value->get<std::string>();
}

const Json* Fields::object(const char* name) const {
  const Json* const value = find(name);
  if (value != nullptr) check_object(*value, path(name));
  return value;
}

std::vector<std::string> Fields::texts(const char* name, int most) const {
  const Json* const value = find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> texts;
  if (!value->is_array() || value->size() > static_cast<std::size_t>(most))
    refuse(path(name), "\"{}\" must be a string or a list of at most {} strings", path(name), most);
  for (const Json& item : *value) {
    if (!item.is_string()) refuse(path(name), "\"{}\" must contain strings only, not {}", path(name), item.type_name());
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

void check_object(const Json& value, const std::string& param) {
  if (!value.is_object()) refuse(param, "\"{}\" must be an object, not {}", param, value.type_name());
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::vector<TokenId> token_list(const Json& list, TokenId vocab, const std::string& param, std::string_view advice) {
  std::vector<TokenId> tokens;
  tokens.reserve(list.size());
  for (const Json& item : list) {
    const bool good = item.is_number_unsigned() && item.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab);
    if (!good) refuse(param, "\"{}\" must contain token ids from 0 to {} only{}", param, vocab - 1, advice);
    tokens.push_back(item.get<TokenId>());
  }
  return tokens;
}

}  // namespace layerboost
