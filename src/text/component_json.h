// The components of a tokenizer.json, such as its "normalizer": each is one or a sequence of them.
#pragma once

#include <functional>
#include <string_view>

#include "base/json.h"

namespace layerboost {

/// What the components of a kind are called in messages ("pre-tokenizer"), and the key of a sequence's list of them
/// ("pretokenizers").
struct ComponentKind {
  std::string_view name;
  const char* list;
};

/// Calls `read` with `component`, or with those that it lists where it is a "Sequence", in order; these may be
/// sequences again. Throws Error, beginning with `where`, for a sequence without a list or one that is too deep in
/// others.
void for_each_component(const Json& component, ComponentKind kind, std::string_view where,
                        const std::function<void(const Json&)>& read);

}  // namespace layerboost
