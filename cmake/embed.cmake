# The parts of the report's page (web/* and Chart.js) become a part of lb_report: one table of names and bytes.
#
# Run as a script (cmake -D OUTPUT=FILE.cc -D FILES=a|b -P embed.cmake), this file writes that table; included, it adds
# the rule that does so.
if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" FILES "${FILES}")
  set(arrays "")
  set(table "")
  set(number 0)
  foreach(path IN LISTS FILES)
    get_filename_component(name ${path} NAME)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND arrays "constexpr unsigned char bytes_${number}[] = {${bytes}0};\n")
    string(APPEND table "    {\"${name}\", {reinterpret_cast<const char*>(bytes_${number}), sizeof(bytes_${number}) - 1}},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE ${OUTPUT} "// Written by cmake/embed.cmake.
#include \"report/assets.h\"

namespace layerboost {
namespace {

${arrays}
const Asset assets[] = {
${table}};

}  // namespace

std::span<const Asset> embedded_assets() { return assets; }

}  // namespace layerboost
")
  return()
endif()

if(NOT TARGET lb_report)
  return()
endif()

find_file(CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist REQUIRED
          DOC "Chart.js, bundled for browsers (Debian's libjs-chart.js)")
file(GLOB web_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/*.html ${PROJECT_SOURCE_DIR}/web/*.css ${PROJECT_SOURCE_DIR}/web/*.js)
list(APPEND web_files ${CHART_JS})
list(JOIN web_files "|" web_files_joined)
set(assets_cc ${PROJECT_BINARY_DIR}/generated/report_assets.cc)
add_custom_command(
  OUTPUT ${assets_cc}
  COMMAND ${CMAKE_COMMAND} -D OUTPUT=${assets_cc} -D "FILES=${web_files_joined}" -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${web_files} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the report's page"
  VERBATIM)
target_sources(lb_report PRIVATE ${assets_cc})

# The pages that report_test wrote, looked at in a headless browser at phone and desktop width, light and dark.
if(TARGET report_test)
  set(page_dir ${PROJECT_BINARY_DIR}/page)
  add_test(NAME page.write COMMAND report_test --gtest_filter=Page.IsWrittenForTheBrowser)
  set_tests_properties(page.write PROPERTIES ENVIRONMENT LAYERBOOST_PAGE_DIR=${page_dir} FIXTURES_SETUP page)
  set(check ${PROJECT_SOURCE_DIR}/scripts/check-page.sh)
  add_test(NAME page.full COMMAND ${check} ${page_dir}/full/report.html ${page_dir}/full 6)
  add_test(NAME page.healed COMMAND ${check} ${page_dir}/healed/report.html "" 6)
  add_test(NAME page.sparse COMMAND ${check} ${page_dir}/sparse/report.html "" 0)
  set_tests_properties(page.full page.healed page.sparse PROPERTIES FIXTURES_REQUIRED page SKIP_RETURN_CODE 77 TIMEOUT 300 RUN_SERIAL TRUE)
endif()
