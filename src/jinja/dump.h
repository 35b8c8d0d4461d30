// Values as text: Python's repr() and json.dumps().
#pragma once

#include <optional>
#include <string>

#include "jinja/value.h"

namespace layerboost::jinja {

/// json.dumps()'s arguments, with the defaults of Hugging Face's `tojson`.
struct JsonStyle {
  std::optional<std::string> indent;  // of one level; empty: all on one line
  std::optional<std::string> item_separator, key_separator;
  bool ascii_only = false, sort_keys = false;
};

/// Throws TemplateError for what JSON has no form of.
std::string to_json(const Value& value, const JsonStyle& style);

}  // namespace layerboost::jinja
