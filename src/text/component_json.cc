#include "text/component_json.h"

#include "base/error.h"

namespace layerboost {
namespace {

void visit(const Json& component, ComponentKind kind, int depth, std::string_view where,
           const std::function<void(const Json&)>& read) {
  constexpr int deepest = 8;
  if (!component.is_object() || component.value("type", Json()) != "Sequence") return read(component);
  const auto list = component.find(kind.list);
  if (list == component.end() || !list->is_array() || depth > deepest)
    fail("{}: a \"Sequence\" of the {} must have a list of \"{}\"", where, kind.name, kind.list);
  for (const Json& entry : *list) visit(entry, kind, depth + 1, where, read);
}

}  // namespace

void for_each_component(const Json& component, ComponentKind kind, std::string_view where,
                        const std::function<void(const Json&)>& read) {
  visit(component, kind, 0, where, read);
}

}  // namespace layerboost
