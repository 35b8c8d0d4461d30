# What is installed: the program, the library with its headers (find_package(layerboost) gives layerboost::layerboost), the
# data that both look for (src/base/data_directory.h), manual page, completion of bash's, service, licence. And the package
# made of it: cpack -G DEB.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# A build tree has the data where an installation has them.
set(data ${PROJECT_BINARY_DIR}/share/layerboost)
file(MAKE_DIRECTORY ${data})
foreach(folder models scripts)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${data}/${folder} SYMBOLIC)
endforeach()

if(NOT TARGET layerboost OR NOT TARGET lb_library OR LAYERBOOST_SANITIZE)
  return()
endif()

add_library(layerboost_library SHARED $<TARGET_OBJECTS:lb_library>)
add_library(layerboost::layerboost ALIAS layerboost_library)
target_link_libraries(layerboost_library PRIVATE lb_library)
target_compile_features(layerboost_library PUBLIC cxx_std_20)
target_include_directories(layerboost_library INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Before 1.0 a new minor version may change the face.
set_target_properties(layerboost_library PROPERTIES OUTPUT_NAME layerboost EXPORT_NAME layerboost UNITY_BUILD OFF
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# What the commands say of themselves, as a manual page and for completion in bash.
foreach(form man bash)
  set(written ${PROJECT_BINARY_DIR}/manual/layerboost.${form})
  add_custom_command(
    OUTPUT ${written}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/manual
    COMMAND layerboost manual ${form} > ${written}
    DEPENDS layerboost
    COMMENT "Writing the manual: ${form}"
    VERBATIM)
  list(APPEND manual ${written})
endforeach()
add_custom_target(manual ALL DEPENDS ${manual})

install(TARGETS layerboost)
install(TARGETS layerboost_library EXPORT layerboostTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/layerboost ${PROJECT_BINARY_DIR}/generated/include/layerboost
        TYPE INCLUDE FILES_MATCHING PATTERN *.h)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/layerboost)
install(EXPORT layerboostTargets NAMESPACE layerboost:: DESTINATION ${config_dir})
configure_package_config_file(cmake/layerboostConfig.cmake.in ${PROJECT_BINARY_DIR}/layerboostConfig.cmake INSTALL_DESTINATION ${config_dir}
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/layerboostConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/layerboostConfig.cmake ${PROJECT_BINARY_DIR}/layerboostConfigVersion.cmake DESTINATION ${config_dir})

set(data_dir ${CMAKE_INSTALL_DATADIR}/layerboost)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${data_dir})
install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/get-model.sh DESTINATION ${data_dir}/scripts)
install(FILES ${PROJECT_BINARY_DIR}/manual/layerboost.man DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME layerboost.1)
install(FILES ${PROJECT_BINARY_DIR}/manual/layerboost.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME layerboost)
# With the licence of ggml's tables at its end.
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Written when it is installed: the prefix may be told only then.
install(CODE "
  set(BIN_DIR \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR})
  set(DATA_DIR \${CMAKE_INSTALL_PREFIX}/${data_dir})
  configure_file(${PROJECT_SOURCE_DIR}/packaging/layerboost.service.in ${PROJECT_BINARY_DIR}/layerboost.service @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/layerboost.service DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/layerboost.env DESTINATION ${data_dir})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The layerboost developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Makes pretrained language models cheap to serve, and serves them")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "layerboost measures what each layer's attention is worth, keeps softmax where it matters, gives a window or nothing
 where it doesn't, repairs the model by distilling it from itself, and serves it on CPUs. With the program come the C++
 library, its headers, and a plan for the default model, which share/layerboost/scripts/get-model.sh fetches.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3-pip, unzip")  # get-model.sh
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
include(CPack)

if(LAYERBOOST_TESTS)
  add_test(NAME package.installed COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-package.sh ${PROJECT_BINARY_DIR})
  add_test(NAME package.deb COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-deb.sh ${PROJECT_BINARY_DIR})
  set_tests_properties(package.installed package.deb PROPERTIES LABELS package SKIP_RETURN_CODE 77 TIMEOUT 300
                       RESOURCE_LOCK installation)
endif()
