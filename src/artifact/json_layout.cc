#include "artifact/json_layout.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace layerboost {
namespace {

std::string one_line(const Json& value) {
  if (!value.is_structured() || value.empty()) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string text;
  for (const auto& [key, item] : value.items()) {
    if (!text.empty()) text += ", ";
    if (value.is_object()) text += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    text += one_line(item);
  }
  return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

bool list_of_objects(const Json& value) { return value.is_array() && !value.empty() && value.front().is_object(); }

std::string lines(const Json& list) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "    " : ",\n    ") + one_line(item);
  return "[\n" + text + "\n  ]";
}

}  // namespace

std::string layout_lines(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    text += text.empty() ? "  " : ",\n  ";
    text += Json(key).dump() + ": " + (list_of_objects(value) ? lines(value) : one_line(value));
  }
  return "{\n" + text + "\n}\n";
}

double rounded(double x, int digits) {
  if (!std::isfinite(x)) return x;
  return std::strtod(fmt::format("{:.{}e}", x, digits - 1).c_str(), nullptr);
}

}  // namespace layerboost
