#include "report/report.h"

#include "artifact/boosted_directory.h"
#include "artifact/ladder.h"
#include "base/error.h"
#include "mixer/descriptor.h"
#include "report/report_data.h"

namespace layerboost {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// The table of web/mixers.js: each kind's PageLook, and whether it has a window.
Json mixer_kinds() {
  Json kinds = Json::object();
  for (const MixerDescriptor* kind : mixer_descriptors()) {
    const PageLook& look = kind->page;
    kinds[kind->name] = {{"letter", look.letter}, {"name", look.name},   {"does", look.does},
                         {"style", look.style},   {"keeps", look.keeps}, {"window", has_window(kind->kind)}};
  }
  return kinds;
}

}  // namespace

void write_report(const fs::path& dir, const fs::path& ladder) {
  const Json data = collect_report(dir, ladder);
  const bool boosted = data.contains("boost");
  const std::string where = (boosted ? dir / boost_name::record : ladder_file(dir)).string();
  const auto model = get<Json>(data[boosted ? "boost" : "ladder"], "model", where);
  const auto name = get_or<std::string>(model, "name", "a model", where);
  write_file(dir / boost_name::page, make_page(data, name + (boosted ? ", boosted" : ", a ladder")));
}

std::string json_for_script(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // All three can only stand inside strings, where a \u escape means the same.
  replace_all(text, "<", "\\u003c");
  replace_all(text, "\xe2\x80\xa8", "\\u2028");
  replace_all(text, "\xe2\x80\xa9", "\\u2029");
  return text;
}

std::string escape_html(std::string_view text) {
  std::string escaped(text);
  replace_all(escaped, "&", "&amp;");
  replace_all(escaped, "<", "&lt;");
  replace_all(escaped, ">", "&gt;");
  replace_all(escaped, "\"", "&quot;");
  replace_all(escaped, "'", "&#39;");
  return escaped;
}

std::string make_page(const Json& data, std::string_view title) {
  std::string page;
  std::string_view rest = bytes_of(embedded_assets(), "report.html");
  // One pass over the template: what is put in isn't searched for placeholders.
  for (std::size_t open = rest.find("{{"); open != std::string_view::npos; open = rest.find("{{")) {
    const std::size_t close = rest.find("}}", open);
    LB_CHECK(close != std::string_view::npos);
    const std::string_view name = rest.substr(open + 2, close - open - 2);
    page += rest.substr(0, open);
    if (name == "data") {
      page += json_for_script(data);
    } else if (name == "mixer_kinds") {
      page += json_for_script(mixer_kinds());
    } else if (name == "title") {
      page += escape_html(title);
    } else {
      page += bytes_of(embedded_assets(), name);
    }
    rest = rest.substr(close + 2);
  }
  page += rest;
  return page;
}

}  // namespace layerboost
