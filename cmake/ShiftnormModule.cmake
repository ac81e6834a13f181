# One library module = one folder under lib/ = one target. Its link line is the architecture: an arrow that
# the table in CONTRIBUTING.md does not have is not written here, and so does not compile.

add_library(shiftnorm_warnings INTERFACE)
target_compile_options(shiftnorm_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-align
  -Wno-missing-field-initializers  # designated initialisers leave the rest at its default on purpose
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # GCC 12 reports std::string operator+ falsely (its bug 105651)
  # Where sources are compiled together, each is an included file to GCC, whose private types it warns of.
  $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>
  $<$<BOOL:${SHIFTNORM_WERROR}>:-Werror>)

if(SHIFTNORM_SANITIZE)
  # With sanitizers GCC's flow analysis sees uninitialised values where there are none (its manual says so).
  add_compile_options(-fsanitize=${SHIFTNORM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_link_options(-fsanitize=${SHIFTNORM_SANITIZE})
endif()

# shiftnorm_add_module(NAME [FAST] SOURCES files... PUBLIC targets... PRIVATE targets...)
function(shiftnorm_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FAST" "" "SOURCES;PUBLIC;PRIVATE")
  add_library(shiftnorm_${name} STATIC ${arg_SOURCES})
  add_library(shiftnorm::${name} ALIAS shiftnorm_${name})
  set_target_properties(shiftnorm_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(shiftnorm_${name} PUBLIC cxx_std_20)
  target_include_directories(shiftnorm_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(shiftnorm_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE}
                        $<BUILD_INTERFACE:shiftnorm_warnings>)
  if(arg_FAST)
    # Inner loops are written here. No precompiled header: at -O3 GCC 12 warns falsely about strings once <string> comes
    # precompiled.
    target_compile_options(shiftnorm_${name} PRIVATE $<$<CONFIG:Release>:-O3>)
  endif()
  if(NOT arg_FAST OR SHIFTNORM_SANITIZE)
    # What nearly every source includes, a third of the time of compiling a small one.
    target_precompile_headers(shiftnorm_${name} PRIVATE <algorithm> <filesystem> <functional> <map> <optional> <string>
                              <vector> <fmt/format.h>)
  endif()
  install(TARGETS shiftnorm_${name} EXPORT shiftnormTargets)
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()
