#include "server/tools.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/in_quotes.h"
#include "base/random.h"
#include "grammar/json_grammar.h"
#include "grammar/json_schema.h"
#include "grammar/regex_grammar.h"
#include "server/api_error.h"

namespace layerboost {
namespace {

constexpr std::size_t most_tools = 128, longest_name = 64;
constexpr std::size_t largest_schemas = std::size_t{128} << 10;  // bytes together, as of one schema

struct Tool {
  std::string name;
  Json parameters;  // a schema
  std::string path;
};

bool is_function(const Json& value, FunctionForm form) {
  if (!value.is_object() || value.value("type", Json()) != "function") return false;
  return form == FunctionForm::flat || value.value("function", Json()).is_object();
}

Tool read_tool(const Json& tool, const std::string& path, FunctionForm form) {
  const bool flat = form == FunctionForm::flat;
  if (!is_function(tool, form))
    refuse(path, R"("{}" must be {{"type": "function", {}"name": ..., "parameters": ...{}}}; there are no other tools)",
           path, flat ? "" : "\"function\": {", flat ? "" : "}");
  const Fields function(flat ? tool : tool["function"], path + (flat ? "." : ".function."));
  const std::string name = function.text("name").value_or("");
  if (name.empty() || name.size() > longest_name || name.find_first_not_of(tool_name_letters) != std::string::npos)
    refuse(function.path("name"), "\"{}\" must have 1 to {} letters, digits, \"_\", \".\" and \"-\"",
           function.path("name"), longest_name);
  const Json* const parameters = function.find("parameters");
  if (parameters != nullptr && !parameters->is_object())
    refuse(function.path("parameters"), "\"{}\" must be a JSON schema", function.path("parameters"));
  return {name, parameters == nullptr ? Json{{"type", "object"}} : *parameters, function.path("parameters")};
}

std::vector<Tool> read_list(const Fields& fields, FunctionForm form) {
  const Json* const list = fields.find("tools");
  std::vector<Tool> tools;
  if (list == nullptr) return tools;
  if (!list->is_array() || list->size() > most_tools)
    refuse("tools", "\"tools\" must be a list of at most {} tools", most_tools);
  for (std::size_t i = 0; i < list->size(); ++i)
    tools.push_back(read_tool((*list)[i], fmt::format("tools[{}]", i), form));
  return tools;
}

/// The schema of a tool's arguments, which are an object also where it leaves that open.
Json schema_of_arguments(const Tool& tool) {
  Json schema = tool.parameters;
  const auto has = [&](const char* keyword) { return schema.contains(keyword); };
  if (has("type") && schema["type"] != "object")
    refuse(tool.path, "\"{}\" must be of \"type\": \"object\": arguments are members of an object", tool.path);
  if (std::ranges::none_of(std::array{"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}, has))
    schema["type"] = "object";
  return schema;
}

/// What a format has around its calls and within them: begin CALL between CALL end, a CALL being open NAME id then
/// ARGUMENTS close. The id is an expression.
struct CallWords {
  std::string_view begin, open, id, then, close, between, end;
};

CallWords words_of(ToolFormat format) {
  constexpr std::string_view name = R"({"name": ")", arguments = R"(", "arguments": )";
  switch (format) {
    case ToolFormat::hermes:
      return {"", "<tool_call>\n{\"name\": \"", "", arguments, "}\n</tool_call>", "\n", ""};
    case ToolFormat::llama3:
      return {"", name, "", R"(", "parameters": )", "}", "; ", ""};
    case ToolFormat::mistral:
      return {"[", name, "", arguments, "}", ", ", "]"};
    case ToolFormat::mistral_named:
      break;
  }
  return {"", "[TOOL_CALLS]", R"((\[CALL_ID\][0-9A-Za-z]{9})?)", "[ARGS]", "", "", ""};
}

int add_call(Grammar& grammar, JsonGrammar& json, int from, const Tool& tool, const CallWords& words) {
  const int name = grammar.bytes(grammar.bytes(from, words.open), tool.name);
  const int arguments = grammar.bytes(add_regex(grammar, name, words.id), words.then);
  const int end = add_schema(grammar, arguments, schema_of_arguments(tool));
  return words.close.empty() ? end : grammar.bytes(json.space(end), words.close);
}

/// Calls of `tools` as the model writes them: one, or as many as it likes.
Grammar form_of_calls(const std::vector<Tool>& tools, ToolFormat format, bool one_call) {
  std::size_t bytes = 0;
  for (const Tool& tool : tools) bytes += tool.parameters.dump().size();
  if (bytes > largest_schemas)
    refuse("tools", "the schemas of the tools that can be called have more than {} KiB together: send fewer of them",
           largest_schemas >> 10);
  const std::string* path = &tools.front().path;
  try {
    Grammar grammar;
    JsonGrammar json(grammar);
    const CallWords words = words_of(format);
    const int call = grammar.add_rule();
    for (const Tool& tool : tools) {
      path = &tool.path;
      grammar.end(add_call(grammar, json, grammar.first(call), tool, words));
    }
    const int node = grammar.call(grammar.bytes(grammar.first(0), words.begin), call);
    if (!one_call) grammar.call(grammar.bytes(node, words.between), call, node);
    grammar.end(grammar.bytes(node, words.end));
    grammar.finish();
    return grammar;
  } catch (const Error& error) {
    refuse(*path, "\"{}\" can't be kept to: {}", *path, printable(error.what()));
  }
}

[[noreturn]] void refuse_choice(FunctionForm form) {
  refuse("tool_choice", R"("tool_choice" must be "none", "auto", "required" or {{"type": "function", {}}})",
         form == FunctionForm::flat ? R"("name": ...)" : R"("function": {"name": ...})");
}

/// The name of the tool that "tool_choice", an object, asks for.
std::string chosen_name(const Json& choice, FunctionForm form) {
  if (!is_function(choice, form)) refuse_choice(form);
  const Json name = (form == FunctionForm::flat ? choice : choice["function"]).value("name", Json());
  if (!name.is_string()) refuse_choice(form);
  return name.get<std::string>();
}

/// A list of functions as chat templates know them.
Json nested(const Json& tools) {
  Json list = Json::array();
  for (Json function : tools) {
    function.erase("type");
    list.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return list;
}

}  // namespace

ToolUse read_tools(const Fields& fields, std::optional<ToolFormat> format, bool told, FunctionForm form,
                   bool answered) {
  const Json* const choice = fields.find("tool_choice");
  const std::string word = choice == nullptr ? "auto" : choice->is_string() ? choice->get<std::string>() : "";
  const bool required = word == "required", by_name = choice != nullptr && choice->is_object();
  if (!by_name && !required && word != "auto" && word != "none") refuse_choice(form);
  std::vector<Tool> tools = read_list(fields, form);
  if (word == "none") return {};  // an answer without them: the prompt has none
  if (tools.empty()) {
    if (required || by_name) refuse("tool_choice", "\"tool_choice\" asks for a call, and there are no \"tools\"");
    return {};
  }
  if (!format)
    refuse("tools",
           "this model writes calls of tools in a form that this server doesn't read; leave \"tools\" out, or "
           "send \"tool_choice\": \"none\"");
  if (!told && !required && !by_name)
    refuse("tools",
           "the model's chat template doesn't tell it of tools; leave \"tools\" out, or send a \"tool_choice\" that "
           "asks for a call");
  const Json& given = *fields.find("tools");
  ToolUse use{.tools = form == FunctionForm::flat ? nested(given) : given,
              .format = format,
              .one_call = !fields.flag("parallel_tool_calls", true),
              .form = std::nullopt};
  if (by_name) {
    const std::string name = chosen_name(*choice, form);
    std::erase_if(tools, [&](const Tool& tool) { return tool.name != name; });
    if (tools.empty()) refuse("tool_choice", "\"tool_choice\" names {}, which \"tools\" doesn't have", in_quotes(name));
    tools.resize(1);
    use.one_call = true;
  }
  if (answered && (required || by_name)) use.form = form_of_calls(tools, *format, use.one_call);
  return use;
}

std::string new_call_id(ToolFormat format) {
  // Templates of Mistral's models refuse ids that aren't nine letters and digits.
  if (format == ToolFormat::mistral || format == ToolFormat::mistral_named)
    return fmt::format("{:09x}", unrepeatable_bits() >> 28);
  return fmt::format("call_{:016x}{:08x}", unrepeatable_bits(), unrepeatable_bits() >> 32);
}

}  // namespace layerboost
