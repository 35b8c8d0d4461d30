// Which fields a request may have, what each does, and for whom. docs/fields.md is made of this table.
#pragma once

#include <span>
#include <string_view>

#include "server/request_fields.h"

namespace layerboost {

enum class Use {
  effect,    // does what it says
  harmless,  // nothing that answers have here depends on it: not looked at
  neutral,   // isn't supported: only values that ask for nothing pass
};

struct RequestField {
  std::string_view name;
  int endpoints;  // of Endpoint
  Use use;
  std::string_view from;  // who has it: a heading
  std::string_view does;  // in Markdown, for people
  /// For Use::neutral, the values that ask for nothing: a list, as JSON; empty: false, "", [] and {}.
  std::string_view neutral = {};
  std::string_view advice = {};  // for Use::neutral, what to do instead; empty: there is nothing but to leave it out
  std::string_view object = {};  // the field that it stands in, such as "stream_options"; empty: in the body itself
};

/// A field has one entry for each endpoint at most.
std::span<const RequestField> request_field_table();

}  // namespace layerboost
