#include "server/answer_form.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/in_quotes.h"
#include "grammar/gbnf.h"
#include "grammar/json_grammar.h"
#include "grammar/json_schema.h"
#include "grammar/regex_grammar.h"
#include "server/api_error.h"
#include "server/request_fields.h"

namespace layerboost {
namespace {

constexpr std::size_t most_choices = 10000, longest_regex = std::size_t{16} << 10,
                      longest_grammar = std::size_t{64} << 10;
constexpr int deepest_in_text = 32;  // levels of a schema that is sent as a text

/// The form that `add` makes from a given node on; what it throws is told of the field `param`.
template <typename Add>
AnswerForm form_of(const std::string& param, const Add& add) {
  try {
    Grammar grammar;
    grammar.end(add(grammar, grammar.first(0)));
    grammar.finish();
    return {std::move(grammar), param};
  } catch (const Error& error) {
    refuse(param, "\"{}\" can't be kept to: {}", param, printable(error.what()));
  }
}

AnswerForm any_object(const std::string& param) {
  return form_of(param, [](Grammar& grammar, int from) { return JsonGrammar(grammar).object(from); });
}

AnswerForm by_schema(const Json& given, const std::string& param) {
  return form_of(param, [&](Grammar& grammar, int from) {
    if (!given.is_string()) return add_schema(grammar, from, given);
    const JsonRules rules{.deepest = deepest_in_text, .most_keys = 1024};
    return add_schema(grammar, from, parse_json(given.get_ref<const std::string&>(), "the schema", rules));
  });
}

AnswerForm by_regex(const std::string& regex, const std::string& param) {
  if (regex.size() > longest_regex) refuse(param, "\"{}\" has more than {} KiB", param, longest_regex >> 10);
  return form_of(param, [&](Grammar& grammar, int from) { return add_regex(grammar, from, regex); });
}

AnswerForm by_gbnf(const std::string& rules, const std::string& param) {
  if (rules.size() > longest_grammar) refuse(param, "\"{}\" has more than {} KiB", param, longest_grammar >> 10);
  return form_of(param, [&](Grammar& grammar, int from) { return add_gbnf(grammar, from, rules); });
}

AnswerForm by_choice(const std::vector<std::string>& choices, const std::string& param) {
  return form_of(param, [&](Grammar& grammar, int from) { return grammar.one_of(from, choices); });
}

void check_keys(const Json& object, const std::string& param, std::initializer_list<std::string_view> known) {
  check_object(object, param);
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || value == false || std::find(known.begin(), known.end(), key) != known.end()) continue;
    refuse(param, "\"{}\" can't have a field {} here; leave it out", param, in_quotes(key));
  }
}

/// {"schema": ..., "name": ...} in the field `param`, with no other keys than `known`.
AnswerForm by_named_schema(const Json& named, const std::string& param, std::initializer_list<std::string_view> known) {
  check_keys(named, param, known);
  const Fields own(named, param + ".");
  const Json* const schema = own.find("schema");
  if (schema == nullptr) refuse(own.path("schema"), "\"{}\" is missing", own.path("schema"));
  return by_schema(*schema, own.path("schema"));
}

/// {"type": "json_object"} and its like in the field `param`; `flat`: what a schema has beside it stands beside the
/// type.
std::optional<AnswerForm> by_format(const Json& format, const std::string& param, bool flat) {
  check_object(format, param);
  const Fields own(format, param + ".");
  const std::string type = own.text("type").value_or("");
  if (type == "text") {
    check_keys(format, param, {"type"});
    return std::nullopt;
  }
  if (type == "json_object") {
    check_keys(format, param, {"type", "schema"});
    const Json* const schema = own.find("schema");  // as llama.cpp has it
    return schema == nullptr ? any_object(param) : by_schema(*schema, own.path("schema"));
  }
  if (type != "json_schema")
    refuse(own.path("type"), R"("{}" must be "text", "json_object" or "json_schema")", own.path("type"));
  if (flat) return by_named_schema(format, param, {"type", "name", "description", "strict", "schema"});
  check_keys(format, param, {"type", "json_schema"});
  const Json* const named = own.find("json_schema");
  const std::string path = own.path("json_schema");
  if (named == nullptr) refuse(path, "\"{}\" is missing", path);
  return by_named_schema(*named, path, {"name", "description", "strict", "schema"});
}

/// OpenAI's fields.
std::optional<AnswerForm> by_formats(const Fields& fields) {
  if (const Json* const format = fields.find("response_format")) return by_format(*format, "response_format", false);
  const Json* const text = fields.object("text");
  if (text == nullptr) return std::nullopt;
  check_options(*text, "text", Endpoint::responses);
  const Json* const format = Fields(*text).find("format");
  return format == nullptr ? std::nullopt : by_format(*format, "text.format", true);
}

/// vLLM's fields; in "structured_outputs" they have no prefix.
std::vector<AnswerForm> by_guides(const Fields& fields, const std::string& prefix) {
  const auto name = [&](const char* rest) { return prefix + rest; };
  std::vector<AnswerForm> forms;
  if (const Json* const schema = fields.find(name("json").c_str()))
    forms.push_back(by_schema(*schema, fields.path(name("json").c_str())));
  if (fields.flag(name("json_object").c_str(), false))
    forms.push_back(any_object(fields.path(name("json_object").c_str())));
  if (const auto regex = fields.text(name("regex").c_str()); regex && !regex->empty())
    forms.push_back(by_regex(*regex, fields.path(name("regex").c_str())));
  if (const auto rules = fields.text(name("grammar").c_str()); rules && !rules->empty())
    forms.push_back(by_gbnf(*rules, fields.path(name("grammar").c_str())));
  const Json* const choices = fields.find(name("choice").c_str());
  if (choices != nullptr && *choices != Json::array())
    forms.push_back(by_choice(fields.texts(name("choice").c_str(), static_cast<int>(most_choices)),
                              fields.path(name("choice").c_str())));
  return forms;
}

}  // namespace

std::optional<AnswerForm> read_answer_form(const Fields& fields) {
  std::vector<AnswerForm> forms = by_guides(fields, "guided_");
  if (auto form = by_formats(fields)) forms.push_back(std::move(*form));
  if (const Json* const schema = fields.find("json_schema")) forms.push_back(by_schema(*schema, "json_schema"));
  if (const auto rules = fields.text("grammar"); rules && !rules->empty())
    forms.push_back(by_gbnf(*rules, "grammar"));  // llama.cpp's
  if (const Json* const guides = fields.find("structured_outputs")) {
    check_keys(*guides, "structured_outputs", {"json", "json_object", "regex", "choice", "grammar"});
    for (AnswerForm& form : by_guides(Fields(*guides, "structured_outputs."), "")) forms.push_back(std::move(form));
  }
  if (forms.size() > 1) refuse("", "the request asks for {} forms of its answer; ask for one", forms.size());
  if (forms.empty()) return std::nullopt;
  return std::move(forms.front());
}

}  // namespace layerboost
