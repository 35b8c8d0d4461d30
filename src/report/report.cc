#include "report/report.h"

#include <string>

#include "report/page.h"
#include "report/report_data.h"

namespace layerboost {

void write_report(const fs::path& dir) {
  const Json data = collect_report(dir);
  const std::string where = (dir / "boost.json").string();
  const auto name = get_or<std::string>(get<Json>(data["boost"], "model", where), "name", "a model", where);
  write_file(dir / "report.html", make_page(data, name + ", boosted"));
}

}  // namespace layerboost
