// What stands behind "is".
#include <map>
#include <string>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

using TestFunction = bool (*)(Context&, const Value&, const Arguments&);

const Value& operand(const Arguments& arguments) {
  if (arguments.positional.size() != 1) reject("the test needs one argument");
  return arguments.positional[0];
}

template <Kind kind>
bool of_kind(Context&, const Value& value, const Arguments&) {
  return value.is(kind);
}

template <char a, char b = '\0'>
bool compared(Context&, const Value& value, const Arguments& arguments) {
  constexpr char op[] = {a, b, '\0'};
  return compare(op, value, operand(arguments));
}

bool has_remainder(const Value& value, const Value& divisor) {
  if (!value.is_any_integer() || !divisor.is_any_integer()) reject("the test needs integers");
  return truth(calculate("%", value, divisor));
}

const std::map<std::string, TestFunction, std::less<>>& tests() {
  static const std::map<std::string, TestFunction, std::less<>> table = {
      {"defined", [](Context&, const Value& value, const Arguments&) { return !value.is(Kind::undefined); }},
      {"undefined", of_kind<Kind::undefined>},
      {"none", of_kind<Kind::none>},
      {"boolean", of_kind<Kind::boolean>},
      {"integer", [](Context&, const Value& value,
                     const Arguments&) { return value.is_any_integer() && !value.is(Kind::boolean); }},
      {"float", of_kind<Kind::real>},
      {"string", of_kind<Kind::string>},
      {"mapping", of_kind<Kind::dict>},
      {"callable", of_kind<Kind::callable>},
      {"number", [](Context&, const Value& value, const Arguments&) { return value.is_number(); }},
      {"true",
       [](Context&, const Value& value, const Arguments&) { return value.is(Kind::boolean) && value.as_boolean(); }},
      {"false",
       [](Context&, const Value& value, const Arguments&) { return value.is(Kind::boolean) && !value.as_boolean(); }},
      // An undefined value is an empty sequence to Jinja.
      {"iterable",
       [](Context&, const Value& value, const Arguments&) {
         return value.is(Kind::list) || value.is(Kind::dict) || value.is(Kind::string) || value.is(Kind::undefined);
       }},
      {"sequence",
       [](Context&, const Value& value, const Arguments&) {
         return (value.is(Kind::list) && !value.is_lazy()) || value.is(Kind::dict) || value.is(Kind::string) ||
                value.is(Kind::undefined);
       }},
      {"lower", [](Context&, const Value& value, const Arguments&) { return all_are(to_text(value), "lower"); }},
      {"upper", [](Context&, const Value& value, const Arguments&) { return all_are(to_text(value), "upper"); }},
      {"escaped", [](Context&, const Value& value, const Arguments&) { return value.is_markup(); }},
      {"sameas",
       [](Context&, const Value& value, const Arguments& arguments) {
         return value.kind() == operand(arguments).kind() && equal(value, operand(arguments));
       }},
      {"odd", [](Context&, const Value& value, const Arguments&) { return has_remainder(value, Value::integer(2)); }},
      {"even", [](Context&, const Value& value, const Arguments&) { return !has_remainder(value, Value::integer(2)); }},
      {"divisibleby", [](Context&, const Value& value,
                         const Arguments& arguments) { return !has_remainder(value, operand(arguments)); }},
      {"in", [](Context&, const Value& value,
                const Arguments& arguments) { return compare("in", value, operand(arguments)); }},
      {"filter", [](Context&, const Value& value, const Arguments&) { return filter_exists(to_text(value)); }},
      {"test", [](Context&, const Value& value, const Arguments&) { return test_exists(to_text(value)); }},
      {"eq", compared<'=', '='>},
      {"equalto", compared<'=', '='>},
      {"==", compared<'=', '='>},
      {"ne", compared<'!', '='>},
      {"!=", compared<'!', '='>},
      {"lt", compared<'<'>},
      {"lessthan", compared<'<'>},
      {"<", compared<'<'>},
      {"le", compared<'<', '='>},
      {"<=", compared<'<', '='>},
      {"gt", compared<'>'>},
      {"greaterthan", compared<'>'>},
      {">", compared<'>'>},
      {"ge", compared<'>', '='>},
      {">=", compared<'>', '='>},
  };
  return table;
}

}  // namespace

bool test_exists(const std::string& name) { return tests().contains(name); }

bool apply_test(Context& context, const std::string& name, const Value& value, const Arguments& arguments) {
  const auto found = tests().find(name);
  if (found == tests().end()) reject("unknown test \"{}\"", name);
  return found->second(context, value, arguments);
}

}  // namespace layerboost::jinja
