# Each folder of src/ is one static library, made of all its *.cc but the tests; it may use only the folders named with
# it, all of which stand above it here. The build fails where a file includes another folder's header.
# Tests lie beside the code as *_test.cc and are linked into one program per folder, FOLDER_test.

add_library(layerboost_options INTERFACE)
target_include_directories(layerboost_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include
                           ${PROJECT_BINARY_DIR}/generated ${PROJECT_BINARY_DIR}/generated/include)
target_compile_options(layerboost_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
# GCC 12 warns of impossible overlaps in std::string (its bug 105651).
target_compile_options(layerboost_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(CMAKE_UNITY_BUILD)
  # Types of an anonymous namespace in what it takes for headers: the sources themselves.
  target_compile_options(layerboost_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  # A local name hides one that another source of the same unity file has, which GCC's -Wshadow doesn't mind.
  target_compile_options(layerboost_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-shadow>)
endif()
configure_file(${PROJECT_SOURCE_DIR}/include/layerboost/version.h.in ${PROJECT_BINARY_DIR}/generated/include/layerboost/version.h)
if(LAYERBOOST_SANITIZE)
  # For the directory: options that targets take from others come last, where a target couldn't switch them off.
  add_compile_options(-fsanitize=${LAYERBOOST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # GCC's manual: with sanitizers it warns of uninitialised values where there are none.
  target_compile_options(layerboost_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  # Clang says of loops marked `omp simd` that instrumented ones stay scalar.
  target_compile_options(layerboost_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
  if(LAYERBOOST_SANITIZE MATCHES "address.*undefined" AND NOT LAYERBOOST_FUZZ)
    # They take a third of the time of compiling, and AddressSanitizer or a signal mostly stops where they would: at a
    # wrong pointer that is used. One that is only computed or compared goes unseen.
    add_compile_options(-fno-sanitize=null,object-size,pointer-overflow,vptr)
  endif()
  add_link_options(-fsanitize=${LAYERBOOST_SANITIZE})
  add_compile_definitions(LAYERBOOST_SANITIZED)  # compilers don't agree on a macro that says so
endif()

if(LAYERBOOST_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# layerboost_layer(NAME USES folder... TESTS_USE folder... LINKS library...)
function(layerboost_layer name)
  cmake_parse_arguments(ARG "" "" "USES;TESTS_USE;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    return()
  endif()
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.h ${PROJECT_SOURCE_DIR}/src/${name}/isa/*.h ${PROJECT_SOURCE_DIR}/src/${name}/isa/*.cc)
  if(name STREQUAL library)
    file(GLOB face CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/layerboost/*.h)
    list(APPEND headers ${face})
  endif()
  set(checked ${PROJECT_BINARY_DIR}/layering/${name})
  add_custom_command(
    OUTPUT ${checked}
    COMMAND ${CMAKE_COMMAND} -D FOLDER=${name} -D "USES=${ARG_USES}" -D "TESTS_USE=${ARG_TESTS_USE}" -D SOURCE=${PROJECT_SOURCE_DIR}/src -D OUTPUT=${checked}
            -P ${PROJECT_SOURCE_DIR}/cmake/check_layering.cmake
    DEPENDS ${sources} ${tests} ${headers} ${PROJECT_SOURCE_DIR}/cmake/check_layering.cmake
    COMMENT "Checking what ${name} includes"
    VERBATIM)
  add_library(lb_${name} STATIC ${sources} ${checked})
  target_link_libraries(lb_${name} PUBLIC layerboost_options ${ARG_LINKS})
  foreach(use ${ARG_USES})
    if(TARGET lb_${use})
      target_link_libraries(lb_${name} PUBLIC lb_${use})
    endif()
  endforeach()
  if(LAYERBOOST_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE lb_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    foreach(use ${ARG_TESTS_USE})
      if(TARGET lb_${use})
        target_link_libraries(${name}_test PRIVATE lb_${use})
      endif()
    endforeach()
    target_compile_definitions(${name}_test PRIVATE LAYERBOOST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_compile_options(${name}_test PRIVATE -O0)
    if(CMAKE_UNITY_BUILD)
      # The time goes into compiling them, most of it into headers that all of a folder's tests share.
      set_target_properties(${name}_test PROPERTIES UNITY_BUILD_BATCH_SIZE 0)
    endif()
    if(LAYERBOOST_SANITIZE)
      # It is the code under test that is watched, but for memory, which both share.
      target_compile_options(${name}_test PRIVATE -fno-sanitize=undefined)
    endif()
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600 LABELS ${name})
  endif()
endfunction()

layerboost_layer(base LINKS fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto Threads::Threads OpenMP::OpenMP_CXX ${CMAKE_DL_LIBS})
if(MPI_CXX_FOUND)
  target_link_libraries(lb_base PRIVATE MPI::MPI_CXX)
  target_compile_definitions(lb_base PRIVATE LAYERBOOST_MPI)
endif()

# ranks_test(FOLDER FILTER): tests of FOLDER that two processes run together under mpirun.
function(ranks_test name filter)
  if(MPI_CXX_FOUND AND TARGET ${name}_test)
    add_test(NAME ranks.${name} COMMAND ${MPIEXEC_EXECUTABLE} -n 2 --oversubscribe --allow-run-as-root $<TARGET_FILE:${name}_test> --gtest_filter=${filter})
    # Open MPI leaves memory behind when it ends, which the leak sanitizer would count as ours.
    set_tests_properties(ranks.${name} PROPERTIES TIMEOUT 600 LABELS ${name} ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
  endif()
endfunction()
ranks_test(base Ranks.*)

layerboost_layer(kernels USES base LINKS DNNL::dnnl OpenMP::OpenMP_CXX)
include(cmake/kernels.cmake)
layerboost_layer(jinja USES base LINKS PkgConfig::UTF8PROC)
layerboost_layer(text USES jinja base LINKS PkgConfig::PCRE2 PkgConfig::UTF8PROC)
layerboost_layer(grammar USES text base)
layerboost_layer(model USES text kernels base)
layerboost_layer(mixer USES model kernels base)
if(LAYERBOOST_TESTS)
  set_target_properties(kernels_test PROPERTIES UNITY_BUILD OFF)  # each has its own shapes, inputs and definitions
endif()
layerboost_layer(generate USES model grammar text kernels base TESTS_USE mixer)
layerboost_layer(artifact USES generate mixer model kernels base)
layerboost_layer(plan USES artifact mixer model base LINKS Eigen3::Eigen)
layerboost_layer(eval USES generate model text base TESTS_USE mixer)
layerboost_layer(heal USES eval artifact generate mixer model kernels base LINKS Eigen3::Eigen)
ranks_test(heal *.Ranks*)
layerboost_layer(analyze USES heal eval plan artifact generate mixer model kernels base LINKS Eigen3::Eigen)
ranks_test(analyze *RanksShareTheLayers)
layerboost_layer(export USES artifact mixer model text base)
layerboost_layer(engine USES generate model grammar text kernels base TESTS_USE eval mixer)
layerboost_layer(library USES engine eval artifact generate mixer model text kernels base)
layerboost_layer(server USES engine generate grammar text kernels base TESTS_USE eval mixer LINKS Boost::headers)
if(LAYERBOOST_SANITIZE MATCHES thread AND TARGET lb_server)
  # ThreadSanitizer doesn't know fences. None are needed: one thread runs the event loop, and its queue has a mutex.
  target_compile_definitions(lb_server PUBLIC BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
layerboost_layer(report USES artifact mixer base)
layerboost_layer(net USES artifact model text base LINKS CURL::libcurl)
layerboost_layer(app USES net report server engine export heal analyze eval plan artifact generate mixer model text kernels base)
layerboost_layer(cli USES app net report server engine heal analyze eval artifact generate mixer model base TESTS_USE plan LINKS CLI11::CLI11)

# What would take most of the tests' time: the definitions' loops, which nobody needs to watch, and what is under test
# where sanitizers slow it. (Clang doesn't know GCC's flag.)
set(inline_small -O1 $<$<CXX_COMPILER_ID:GNU>:-finline-small-functions>)
if(LAYERBOOST_TESTS)
  foreach(name kernels mixer plan)
    target_compile_options(${name}_test PRIVATE ${inline_small} -fno-sanitize=all)
  endforeach()
endif()
if(TARGET text_test AND NOT LAYERBOOST_SANITIZE)
  # Templates' times are compared there: inline functions that both have aren't to be the unoptimised ones.
  target_compile_options(text_test PRIVATE ${inline_small})
endif()
if(LAYERBOOST_SANITIZE)
  foreach(name kernels text mixer generate engine)
    target_compile_options(lb_${name} PRIVATE ${inline_small})
  endforeach()
endif()

if(TARGET lb_cli)
  # Nothing here is hot, and the headers are large.
  foreach(name net app cli)
    target_compile_options(lb_${name} PRIVATE $<IF:$<CONFIG:Release>,-O1,-O0>)
  endforeach()
  add_executable(layerboost src/main.cc)
  target_link_libraries(layerboost PRIVATE lb_cli)
endif()
