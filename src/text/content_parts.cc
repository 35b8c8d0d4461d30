#include "text/content_parts.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "jinja/visit.h"

namespace layerboost {

namespace {

template <std::size_t size>
bool among(const std::string& name, const std::string_view (&names)[size]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_text(const jinja::Expr& expression, std::string_view text) {
  const auto* const literal = expression ? std::get_if<jinja::Literal>(&expression->node) : nullptr;
  return literal != nullptr && literal->value.is(jinja::Kind::string) && literal->value.as_text() == text;
}

class ContentReaders {
 public:
  explicit ContentReaders(const jinja::Body& body) : body_(body) {}

  bool reads_parts() {
    // Each round finds what is assigned from what the round before found, and calls of macros that follow them.
    for (std::size_t known = 0, rounds = 0; rounds < most_rounds; ++rounds) {
      found_ = false;
      jinja::visit(body_, {.statement = [this](const jinja::Statement& statement) { look_at(statement); },
                           .expression = [this](const jinja::Expression& expression) { look_at(expression); }});
      const std::size_t knows = names_.size() + macros_.size();
      if (found_ || knows == known) return found_;
      known = knows;
    }
    return found_;
  }

 private:
  static constexpr std::size_t most_rounds = 16;

  void look_at(const jinja::Statement& statement) {
    if (const auto* const loop = std::get_if<jinja::For>(&statement.node)) {
      found_ = found_ || holds_content(loop->items);
    } else if (const auto* const set = std::get_if<jinja::Set>(&statement.node)) {
      assign(set->target, set->value);
    } else if (const auto* const with = std::get_if<jinja::With>(&statement.node)) {
      for (const auto& [target, value] : with->assignments) assign(target, value);
    } else if (const auto* const macro = std::get_if<std::shared_ptr<const jinja::Macro>>(&statement.node)) {
      macros_[(*macro)->name] = macro->get();
    }
  }

  void look_at(const jinja::Expression& expression) {
    if (const auto* const call = std::get_if<jinja::Call>(&expression.node)) {
      give_to_macro(*call);
    } else if (const auto* const filter = std::get_if<jinja::Filter>(&expression.node)) {
      constexpr std::string_view by_attribute[] = {"selectattr", "rejectattr", "groupby"};
      const auto& named = filter->arguments.named;
      const bool attribute = among(filter->name, by_attribute) ||
                             (filter->name == "map" && std::any_of(named.begin(), named.end(), [](const auto& one) {
                                return one.first == "attribute";
                              }));
      found_ = found_ || (attribute && holds_content(filter->value));
    } else if (const auto* const attribute = std::get_if<jinja::Attribute>(&expression.node)) {
      found_ = found_ || ((attribute->name == "text" || attribute->name == "type") && is_item(attribute->object));
    } else if (const auto* const item = std::get_if<jinja::Subscript>(&expression.node)) {
      found_ = found_ || ((is_text(item->index, "text") || is_text(item->index, "type")) && is_item(item->object));
    }
  }

  void assign(const jinja::Target& target, const jinja::Expr& value) {
    if (target.parts.empty() && target.attribute.empty() && holds_content(value)) names_.insert(target.name);
  }

  void give_to_macro(const jinja::Call& call) {
    const auto* const name = std::get_if<jinja::Name>(&call.callee->node);
    const auto macro = name != nullptr ? macros_.find(name->name) : macros_.end();
    if (macro == macros_.end()) return;
    const auto& parameters = macro->second->parameters;
    const auto& given = call.arguments.positional;
    for (std::size_t i = 0; i < given.size() && i < parameters.size(); ++i)
      if (holds_content(given[i])) names_.insert(parameters[i].name);
    for (const auto& [parameter, value] : call.arguments.named)
      if (holds_content(value)) names_.insert(parameter);
  }

  /// One item of a content: `content[0]`.
  [[nodiscard]] bool is_item(const jinja::Expr& expression) const {
    const auto* const item = std::get_if<jinja::Subscript>(&expression->node);
    return item != nullptr && holds_content(item->object);
  }

  /// Whether an expression is a message's content, or some of its items.
  [[nodiscard]] bool holds_content(const jinja::Expr& expression) const {
    if (!expression) return false;
    const auto& node = expression->node;
    if (const auto* const name = std::get_if<jinja::Name>(&node)) return names_.contains(name->name);
    if (const auto* const attribute = std::get_if<jinja::Attribute>(&node)) return attribute->name == "content";
    if (const auto* const item = std::get_if<jinja::Subscript>(&node)) return is_text(item->index, "content");
    if (const auto* const slice = std::get_if<jinja::Slice>(&node)) return holds_content(slice->object);
    if (const auto* const choice = std::get_if<jinja::Conditional>(&node))
      return holds_content(choice->then) || holds_content(choice->otherwise);
    if (const auto* const either = std::get_if<jinja::Binary>(&node))
      return (either->op == "or" || either->op == "and") &&
             (holds_content(either->left) || holds_content(either->right));
    if (const auto* const call = std::get_if<jinja::Call>(&node)) {
      const auto* const method = std::get_if<jinja::Attribute>(&call->callee->node);
      return method != nullptr && method->name == "get" && !call->arguments.positional.empty() &&
             is_text(call->arguments.positional[0], "content");
    }
    const auto* const filter = std::get_if<jinja::Filter>(&node);
    constexpr std::string_view choosing[] = {"list",   "reverse",    "select",  "reject", "selectattr",
                                             "unique", "rejectattr", "default", "d",      "sort"};
    return filter != nullptr && among(filter->name, choosing) && holds_content(filter->value);
  }

  const jinja::Body& body_;
  std::set<std::string> names_;  // variables and parameters that hold a content
  std::map<std::string, const jinja::Macro*> macros_;
  bool found_ = false;
};

}  // namespace

bool reads_content_parts(const jinja::Body& body) { return ContentReaders(body).reads_parts(); }

}  // namespace layerboost
