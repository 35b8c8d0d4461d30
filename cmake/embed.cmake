# Files that become a part of the program, each set as one table of names and bytes: the parts of the pages (web/*
# and Chart.js), and the Python code and the licence of exported models.
#
# Run as a script (cmake -D OUTPUT=FILE.cc -D FILES=a|b -D HEADER=H -D FUNCTION=F -P embed.cmake), this file writes such a
# table, which H declares as F(); included, it adds the rules that do so.
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
#include \"${HEADER}\"

namespace layerboost {
namespace {

${arrays}
const Asset assets[] = {
${table}};

}  // namespace

std::span<const Asset> ${FUNCTION}() { return assets; }

}  // namespace layerboost
")
  return()
endif()

# embed(TARGET HEADER FUNCTION FILE...)
function(embed target header function)
  list(JOIN ARGN "|" files)
  set(output ${PROJECT_BINARY_DIR}/generated/${function}.cc)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D "FILES=${files}" -D HEADER=${header} -D FUNCTION=${function} -P ${script}
    DEPENDS ${ARGN} ${script}
    COMMENT "Embedding ${function}"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

if(TARGET lb_export)
  embed(lb_export export/code.h export_code ${PROJECT_SOURCE_DIR}/src/export/modeling_layerboost.py
        ${PROJECT_SOURCE_DIR}/LICENSE)
endif()

# The live page of `serve`, and what it has in common with the report.
file(GLOB serve_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/serve*)
if(TARGET lb_server)
  set(shared_files report.css early.js dom.js)
  list(TRANSFORM shared_files PREPEND ${PROJECT_SOURCE_DIR}/web/)
  embed(lb_server server/page.h serve_assets ${serve_files} ${shared_files})
endif()

if(NOT TARGET lb_report)
  return()
endif()

find_file(CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist REQUIRED
          DOC "Chart.js, bundled for browsers (Debian's libjs-chart.js)")
file(GLOB web_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/*.html ${PROJECT_SOURCE_DIR}/web/*.css ${PROJECT_SOURCE_DIR}/web/*.js)
list(REMOVE_ITEM web_files ${serve_files})
embed(lb_report report/report.h embedded_assets ${web_files} ${CHART_JS})

# The pages that report_test wrote, looked at in a headless browser at phone and desktop width, light and dark.
if(TARGET report_test)
  set(page_dir ${PROJECT_BINARY_DIR}/page)
  add_test(NAME page.write COMMAND report_test --gtest_filter=Page.IsWrittenForTheBrowser)
  set_tests_properties(page.write PROPERTIES ENVIRONMENT LAYERBOOST_PAGE_DIR=${page_dir} FIXTURES_SETUP page)
  set(check ${PROJECT_SOURCE_DIR}/scripts/check-page.sh)
  add_test(NAME page.full COMMAND ${check} ${page_dir}/full/report.html ${page_dir}/full 6)
  add_test(NAME page.healed COMMAND ${check} ${page_dir}/healed/report.html "" 12)
  add_test(NAME page.sparse COMMAND ${check} ${page_dir}/sparse/report.html "" 0)
  add_test(NAME page.ladder COMMAND ${check} ${page_dir}/ladder/report.html ${page_dir}/ladder 6)
  add_test(NAME page.hostile COMMAND ${check} ${page_dir}/hostile/report.html "" 6)
  set_tests_properties(page.full page.healed page.sparse page.ladder page.hostile PROPERTIES FIXTURES_REQUIRED page SKIP_RETURN_CODE 77 TIMEOUT 300 RUN_SERIAL TRUE)
endif()
