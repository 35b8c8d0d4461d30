// Methods of dicts and lists, as Python's types have them.
#include <algorithm>

#include "jinja/functions.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

Value changing_method(Context&, const Value& object, const Arguments&) {
  reject("the method would change a {}: chat templates can't", name_of(object.kind()));
}

Value get_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("get", 2);
  const Value* const key = arguments.find(0);
  if (key == nullptr) reject("get needs a key");
  if (const Value* const found = object.find(*key)) return *found;
  const Value* const fallback = arguments.find(1);
  return fallback != nullptr ? *fallback : Value::none();
}

template <char part>  // 'k'ey, 'v'alue or both
Value parts_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("the method", 0);
  std::vector<Value> parts;
  for (const auto& [key, value] : object.as_dict())
    parts.push_back(part == 'k' ? key : part == 'v' ? value : Value::list({key, value}, Form::tuple));
  return Value::list(std::move(parts));
}

Value copy_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("copy", 0);
  return object;
}

const MethodTable& dict_methods() {
  static const MethodTable table = {
      {"get", get_method},           {"items", parts_method<'b'>}, {"keys", parts_method<'k'>},
      {"values", parts_method<'v'>}, {"copy", copy_method},        {"clear", changing_method},
      {"pop", changing_method},      {"popitem", changing_method}, {"setdefault", changing_method},
      {"update", changing_method}};
  return table;
}

template <bool all>
Value list_position_method(Context&, const Value& object, const Arguments& arguments) {
  arguments.check("the method", 1);
  const Value* const wanted = arguments.find(0);
  if (wanted == nullptr) reject("the method needs a value");
  const auto& items = object.as_list();
  const auto same = [&](const Value& item) { return equal(item, *wanted); };
  if (all) return Value::integer(std::count_if(items.begin(), items.end(), same));
  const auto found = std::find_if(items.begin(), items.end(), same);
  if (found == items.end()) reject("index: the value is not in the list");
  return Value::integer(found - items.begin());
}

const MethodTable& list_methods() {
  static const MethodTable table = {{"index", list_position_method<false>},
                                    {"count", list_position_method<true>},
                                    {"copy", copy_method},
                                    {"append", changing_method},
                                    {"clear", changing_method},
                                    {"extend", changing_method},
                                    {"insert", changing_method},
                                    {"pop", changing_method},
                                    {"remove", changing_method},
                                    {"reverse", changing_method},
                                    {"sort", changing_method}};
  return table;
}

const MethodTable& methods_of(const Value& object) {
  static const MethodTable none;
  if (object.is(Kind::string)) return string_methods();
  if (object.is(Kind::dict)) return dict_methods();
  return object.is(Kind::list) ? list_methods() : none;
}

}  // namespace

bool method_exists(const Value& object, std::string_view name) { return methods_of(object).contains(name); }

Value call_method(Context& context, const Value& object, std::string_view name, const Arguments& arguments) {
  return methods_of(object).find(name)->second(context, object, arguments);
}

}  // namespace layerboost::jinja
