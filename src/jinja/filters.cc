// The table of all filters.
#include <map>

#include "jinja/functions.h"

namespace layerboost::jinja {

namespace {

const std::map<std::string, FilterFunction, std::less<>>& filters() {
  static const auto table = [] {
    std::map<std::string, FilterFunction, std::less<>> all;
    for (const FilterTable& part : {text_filters(), list_filters(), selecting_filters(), layout_filters(),
                                    wrapping_filters(), printing_filters()})
      all.insert(part.begin(), part.end());
    return all;
  }();
  return table;
}

}  // namespace

bool filter_exists(const std::string& name) { return filters().contains(name); }

Value apply_filter(Context& context, const std::string& name, const Value& value, const Arguments& arguments) {
  const auto found = filters().find(name);
  if (found == filters().end()) reject("unknown filter \"{}\"", name);
  return found->second(context, value, arguments);
}

}  // namespace layerboost::jinja
