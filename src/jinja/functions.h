// What templates may call: filters, tests, methods, operators and global functions. All throw TemplateError.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/context.h"
#include "jinja/value.h"

namespace layerboost::jinja {

/// value | name(arguments)
Value apply_filter(Context& context, const std::string& name, const Value& value, const Arguments& arguments);
bool filter_exists(const std::string& name);

/// value is name(arguments)
bool apply_test(Context& context, const std::string& name, const Value& value, const Arguments& arguments);
bool test_exists(const std::string& name);

/// Whether Python's type has this method: then object.name is the method, whatever keys a dict has.
bool method_exists(const Value& object, std::string_view name);
/// object.name(arguments); method_exists() holds.
Value call_method(Context& context, const Value& object, std::string_view name, const Arguments& arguments);

/// object[index], undefined where there is nothing, and object.name for keys and members.
Value item_of(const Value& object, const Value& index);
/// object[start:stop:step]; none for what isn't given.
Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step);

/// left op right for "+", "-", "*", "/", "//", "%" and "**".
Value calculate(std::string_view op, const Value& left, const Value& right);
/// left op right for "==", "!=", "<", "<=", ">", ">=", "in" and "not in".
bool compare(std::string_view op, const Value& left, const Value& right);
/// Python's format.format(*arguments).
std::string format_braces(const std::string& format, const Arguments& arguments);

/// Python's format % arguments.
std::string format_percent(const std::string& format, const Value& given);

/// range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
std::vector<std::pair<std::string, Value>> global_functions();

// The parts of the tables of filters and methods, one for each of the files that hold them.
using FilterFunction = Value (*)(Context&, const Value&, const Arguments&);
using FilterTable = std::vector<std::pair<std::string_view, FilterFunction>>;
FilterTable text_filters();
FilterTable list_filters();
FilterTable selecting_filters();
FilterTable layout_filters();
FilterTable wrapping_filters();
FilterTable printing_filters();

using MethodTable = std::map<std::string, FilterFunction, std::less<>>;
const MethodTable& string_methods();

/// value.name for the filters' `attribute="a.b.0"`: dots go further inwards.
Value attribute_of(const Value& value, const Value& path);

}  // namespace layerboost::jinja
