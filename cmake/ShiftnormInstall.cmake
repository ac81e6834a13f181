# find_package(shiftnorm) for users of the libraries.
include(CMakePackageConfigHelpers)
install(EXPORT shiftnormTargets NAMESPACE shiftnorm:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shiftnorm)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/shiftnormConfig.cmake.in
  ${PROJECT_BINARY_DIR}/shiftnormConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shiftnorm)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/shiftnormConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/FindDCMTKData.cmake ${CMAKE_CURRENT_LIST_DIR}/FindoneDNN.cmake
              ${CMAKE_CURRENT_LIST_DIR}/Findonnx.cmake ${PROJECT_BINARY_DIR}/shiftnormConfig.cmake
              ${PROJECT_BINARY_DIR}/shiftnormConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shiftnorm)
# What the program reads and writes, as JSON Schemas.
install(FILES ${PROJECT_SOURCE_DIR}/configs/schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/shiftnorm)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs/schemas DESTINATION ${CMAKE_INSTALL_DATADIR}/shiftnorm)
# The pages that installed headers cite.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation
  FILES_MATCHING PATTERN "*.md" PATTERN study EXCLUDE)
